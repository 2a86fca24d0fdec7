# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module `mok_key` tells of its pairs: paths and fingerprints, and what others are to do with them."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_key_pair import successor

DKMS = "/etc/dkms/framework.conf.d/gpufleet.conf"


def dkms(params):
    """The file that has DKMS sign what it builds with the same key; the next kernel's modules are signed as well."""
    return {
        "path": DKMS,
        "content": (
            "# The key that kernel modules are signed with. DKMS makes another one where a file is missing.\n"
            f'mok_signing_key="{params["private_key"]}"\nmok_certificate="{params["certificate"]}"\n'
        ),
    }


def report(params, before, after, steps, predicted):
    """The result of the module; *predicted*: nothing was done, so that *after* is *before*."""
    found = after.current.certificate
    unknown = predicted and any(step.kind in ("make", "certify", "deliver", "promote") for step in steps)
    waiting = after.next.certificate
    to_enrol = [pair.file for pair in (after.current, after.next) if _is_stranger(pair, after)]
    if unknown and not waiting:
        staying = found and not any(step.kind == "promote" for step in steps)
        to_enrol = [successor(params["certificate"]) if staying else params["certificate"]]
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "private_key": params["private_key"],
        "certificate": params["certificate"],
        **{name: getattr(found, name, None) for name in ("sha1", "sha256", "subject", "serial", "not_after")},
        "successor": _described(after.next) if waiting else None,
        "enrol": to_enrol if params["state"] == "present" else [],
        "revoke": [old.certificate for old in after.retired if not old.signs and old.sha1 in after.listed],
        "retired": [{**old._asdict(), "key": bool(old.key)} for old in after.retired],
        "dkms": dkms(params),
        "diff": {"before": _shown(before), "after": _planned(before, steps) if predicted else _shown(after)},
    }


def _is_stranger(pair, state):
    return pair.certificate is not None and pair.certificate.sha1 not in state.enrolled


def _described(pair):
    return {"certificate": pair.file, "sha1": pair.certificate.sha1, "subject": pair.certificate.subject}


def _shown(state):
    return {
        "pair": getattr(state.current.certificate, "sha1", None),
        "successor": getattr(state.next.certificate, "sha1", None),
        "retired": [old.sha1 for old in state.retired],
    }


def _planned(before, steps):
    """What a difference shows of a pair that is not made yet."""
    kinds, shown = [step.kind for step in steps], _shown(before)
    new = shown["successor"] or "a new pair"
    if "promote" in kinds:
        return {**shown, "pair": new, "successor": None, "retired": [*shown["retired"], shown["pair"]]}
    if "make" in kinds or "deliver" in kinds:
        return {**shown, "successor": "a new pair"} if shown["pair"] else {**shown, "pair": "a new pair"}
    gone = {step.retired.sha1 for step in steps if step.kind == "forget_certificate"}
    pair = None if "remove" in kinds else "a new certificate" if "certify" in kinds else shown["pair"]
    return {**shown, "pair": pair, "retired": [sha1 for sha1 in shown["retired"] if sha1 not in gone]}
