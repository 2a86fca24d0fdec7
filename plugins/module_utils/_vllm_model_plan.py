# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are to be fetched, and why. Pure."""

from __future__ import annotations

from collections import namedtuple

# says: a sentence; damaged: names of files whose content is not what was recorded
Step = namedtuple("Step", "model says damaged")

HUBS = {"huggingface": "Hugging Face", "modelscope": "ModelScope"}


def asked(model):
    """What a record keeps of the request; two of the same are the same model."""
    return {"source": model.source, "name": model.name, "revision": model.revision, "patterns": model.files}


def plan(models, seen, damaged, moved):
    """[Step] in the order of the models.

    :param damaged: {name: [files]} that do not hash to what was recorded
    :param moved: {name: commit} where the hub's revision is another one now
    """
    steps = []
    for model in models:
        why = None if model.source == "path" else reason(model, seen[model.name], damaged.get(model.name), moved)
        if why:
            at = f" at {model.revision}" if model.revision else ""
            says = f"Fetch {model.name}{at} from {HUBS[model.source]} to {model.path}{why}"
            steps.append(Step(model, says, damaged.get(model.name) or []))
    return steps


def reason(model, seen, damaged, moved):
    """Why a model is fetched, as the end of a sentence; None: it is right."""
    if not seen.exists:
        return " for the first time"
    if damaged:
        return f", as {', '.join(damaged)} changed on the disk"
    if seen.missing:
        return f", as {', '.join(seen.missing[:5])} lack"
    if seen.record is None:
        # somebody has put it there; without a revision to hold it against it is taken as it is
        return None if model.revision is None and seen.config else ", as what is there is of unknown revision"
    if {key: seen.record.get(key) for key in asked(model)} != asked(model):
        return f", instead of {seen.record.get('revision') or seen.record.get('commit') or 'what was there'}"
    if model.name in moved:
        return f", as that is {moved[model.name]} now"
    return None


def wrong_sums(model, seen):
    """Recorded files that the user says another checksum of."""
    recorded = (seen.record or {}).get("files") or {}
    return sorted(
        name for name, text in model.sha256.items() if name in recorded and recorded[name].get("sha256") != text
    )


def describe(models, seen, steps):
    """({before}, {after}) for people: where each model is and of which revision."""
    before = {model.name: state(model, seen[model.name]) for model in models}
    fetched = {step.model.name: whole(step.model) for step in steps}
    return before, {**before, **fetched}


def state(model, seen):
    if not seen.exists:
        return "absent"
    if seen.record is None:
        return f"{model.path}, put there by hand" + (", not whole" if seen.missing else "")
    text = f"{model.path} from {seen.record.get('source')} at {seen.record.get('revision') or 'its first revision'}"
    return text + (", not whole" if seen.missing else "")


def whole(model):
    return f"{model.path} from {model.source} at {model.revision or 'its first revision'}"
