# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small configuration files as one thing: what each must hold, what differs, writing it."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import ROOT
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# content: text, or None where there is no such file; mode: permission bits; owner: (user, group), numbers; or None
State = namedtuple("State", "content mode owner")
# kind: write | own | remove; path, says, state: the State that the file shall have
Step = namedtuple("Step", "kind path says state")


ABSENT = State(None, None, None)


def parse_mode(text):
    """Permission bits of an octal text such as `0644`."""
    try:
        mode = int(str(text), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise NvidiaError(f"The mode {text!r} is not an octal number such as '0644'; quote it in YAML.")
    return mode


def wanted(files, owner):
    """{path: State} of what the files shall be; content None means absent.

    :param owner: numbers of the user and the group that they shall belong to
    :raises NvidiaError: for a path that is not absolute, is named twice, or has no content
    """
    result = {}
    for file in files:
        path = file["path"]
        if not path.startswith("/") or path.endswith("/"):
            raise NvidiaError(f"{path!r} is not the absolute path of a file.")
        if path in result:
            raise NvidiaError(f"{path} is listed twice; a file can have one content only.")
        if file["state"] == "present" and file["content"] is None:
            raise NvidiaError(f"{path} shall be present but has no content; give it, or state: absent.")
        present = file["state"] == "present"
        result[path] = State(file["content"], parse_mode(file["mode"]), owner) if present else ABSENT
    return result


def observe(system, paths):
    """{path: State} of what is there; a symbolic link counts as a file with no mode, so that it gets replaced."""
    found = {}
    for path in paths:
        link = system.link(path)
        stat = system.stat(path)
        if link is not None:
            found[path] = State(f"-> {link}\n", None, None)
        elif stat is None:
            found[path] = ABSENT
        else:
            content = system.read(path)
            if content is None:
                raise NvidiaError(f"{path} is there but cannot be read as a file; move away what is in its place.")
            found[path] = State(content, stat[0], tuple(stat[1:]))
    return found


def plan(before, want):
    """[Step] for the files whose content, mode or owner differ, in the order of *want*."""
    steps = []
    for path, state in want.items():
        have = before[path]
        if state == have:
            continue
        if state.content is None:
            steps.append(Step("remove", path, f"Remove {path}", state))
        elif have.content is None:
            steps.append(Step("write", path, f"Create {path}", state))
        elif have.content == state.content and have.mode == state.mode:
            # Whoever owned it may still have it open for writing, so that it gets a new one; a group is given back.
            kind = "own" if have.owner[0] == state.owner[0] else "write"
            steps.append(Step(kind, path, f"Take {path} back from {whose(have.owner, state.owner)}", state))
        elif have.content == state.content:
            steps.append(Step("write", path, f"Set the mode of {path} to {state.mode:04o}", state))
        else:
            steps.append(Step("write", path, f"Change {path}", state))
    return steps


def diff(before, steps):
    """Ansible's list of differences, one entry for each file that changes."""
    return [
        {
            "before_header": header(step.path, before[step.path], step.state.owner),
            "after_header": header(step.path, step.state, step.state.owner),
            "before": before[step.path].content or "",
            "after": step.state.content or "",
        }
        for step in steps
    ]


def whose(owner, wanted_owner):
    """What of user and group is not as it shall be, in words."""
    words = zip(("user", "group"), owner, wanted_owner)
    return ", ".join(f"{word} {have}" for word, have, want in words if have != want)


def header(path, state, owner):
    """The line above one side of a difference: the path, with its mode, whose it is, or that it is absent."""
    if state.content is None:
        return f"{path} (absent)"
    if state.mode is None:
        return path
    others = whose(state.owner, owner) if owner else ""
    return f"{path} ({', '.join(filter(None, [f'mode {state.mode:04o}', others]))})"


def ensure(params, system, *, apply, owner=ROOT):
    """The result of the module `managed_files`; see its RETURN.

    :param owner: numbers of the user and the group that the module runs as
    """
    want = wanted(params["files"], owner)
    before = observe(system, want)
    steps = plan(before, want)
    if apply:
        for step in steps:
            if step.kind == "remove":
                system.remove(step.path)
            elif step.kind == "own":
                system.own(step.path, *step.state.owner)
            else:
                system.write(step.path, step.state.content, step.state.mode)
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "changed_paths": [step.path for step in steps],
        "changed_contents": [step.path for step in steps if step.state.content != before[step.path].content],
        "diff": diff(before, steps),
    }
