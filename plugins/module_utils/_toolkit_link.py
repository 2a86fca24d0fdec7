# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``/usr/local/cuda``, a link that update-alternatives keeps among the toolkits of a host."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# Where Debian and Red Hat's families keep the choices; both write the same lines.
ADMIN = ("/var/lib/dpkg/alternatives", "/var/lib/alternatives")

# link: what the link points to, or None; value: what the alternative points to, or None; choices: {path: priority}
State = namedtuple("State", "link value choices")
Step = namedtuple("Step", "says argv")


def parse_admin(text):
    """{path: priority} of a file of the alternatives system: mode, link, names of slaves, then the choices."""
    lines = (text or "").split("\n")
    slaves, place = 0, 2
    while place < len(lines) and lines[place].strip():
        slaves, place = slaves + 1, place + 2
    choices, place = {}, place + 1
    while place + 1 < len(lines) and lines[place].startswith("/"):
        number = lines[place + 1].strip().rsplit(" ", 1)[-1]
        choices[lines[place]] = int(number) if number.lstrip("-").isdigit() else 0
        place += 2 + slaves
    return choices


def observe(system, params):
    text = next((t for t in (system.read(f"{folder}/{params['name']}") for folder in ADMIN) if t), None)
    return State(
        system.link(params["link"]), system.link(f"/etc/alternatives/{params['name']}"), parse_admin(text)
    )  # fmt: skip


def plan(before, params):
    """[Step]; empty when the link means what it shall. Pure."""
    name, link, tool = params["name"], params["link"], "update-alternatives"
    if params["state"] == "absent":
        gone = [path for path in before.choices if not params["choices"] or path in wanted(params)]
        return [Step(f"Take {path} from the choices of {link}", [tool, "--remove", name, path]) for path in gone]
    steps = []
    managed = before.link == f"/etc/alternatives/{name}"
    missing = {path: priority for path, priority in wanted(params).items() if path not in before.choices}
    if not managed and not missing:
        missing = {params["path"]: wanted(params)[params["path"]]}
    for path, priority in sorted(missing.items()):
        steps.append(
            Step(f"Offer {path} as {link}", [tool, "--force", "--install", link, name, path, str(priority)])
        )  # fmt: skip
    if before.value != params["path"] or not managed:
        steps.append(Step(f"Let {link} mean {params['path']}", [tool, "--set", name, params["path"]]))
    return steps


def wanted(params):
    """{path: priority} of the choices."""
    return {row["path"]: row["priority"] for row in params["choices"]}


def predict(before, params, steps):
    """What the link means when the steps are done."""
    if not steps:
        return before
    if params["state"] == "absent":
        left = {p: n for p, n in before.choices.items() if [p] not in [step.argv[-1:] for step in steps]}
        best = max(left, key=lambda path: left[path]) if left else None
        value = before.value if before.value in left else best
        return State(f"/etc/alternatives/{params['name']}" if left else None, value, left)
    return State(
        f"/etc/alternatives/{params['name']}", params["path"], {**before.choices, **wanted(params)}
    )  # fmt: skip


def ensure(params, system, *, apply):
    """The result of the module `toolkit_link`; see its RETURN."""
    if params["state"] == "present" and params["path"] not in wanted(params):
        raise NvidiaError(f"path is {params['path']}, which is none of the choices; name it there with its priority.")
    before = observe(system, params)
    if system.exists(params["link"]) and before.link is None and params["state"] == "present":
        raise NvidiaError(
            f"{params['link']} is a folder or a file and not a link, so it cannot mean one of several toolkits. Move"
            f" what lies there to {params['link']}-X.Y, and run again."
        )
    steps = plan(before, params)
    after = predict(before, params, steps)
    for step in steps if apply else []:
        result = system.run(step.argv)
        if result.rc != 0:
            raise NvidiaError(f"{' '.join(step.argv)} failed: {(result.err or result.out).strip()}")
    if apply and steps and observe(system, params)[:2] != after[:2]:
        raise NvidiaError(f"update-alternatives ended well but {params['link']} is not what it shall be.")
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {"before": shown(before), "after": shown(after)},
        "path": after.value,
    }


def shown(state):
    return {"link": state.link, "means": state.value, "choices": state.choices}
