# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python of the host an environment is made with."""

from __future__ import annotations

import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

ASK = (
    "import importlib.util as u, json, sys; print(json.dumps({'version': list(sys.version_info[:2]), "
    "'path': sys.executable, 'venv': u.find_spec('venv') is not None and u.find_spec('ensurepip') is not None}))"
)
RANGE = re.compile(r"3\.(\d+)(?:\s*-\s*3\.(\d+))?")


def candidates(asked):
    """([programs to try], (lowest, highest) minor release or None) for the parameter `python`."""
    match = RANGE.fullmatch(asked or "")
    if not match:
        return [asked or "python3"], None
    low = int(match[1])
    high = int(match[2] or low)
    return [*(f"python3.{minor}" for minor in range(high, low - 1, -1)), "python3"], (low, high)


def find(system, asked, with_venv):
    """Path of the interpreter; reads only.

    :param with_venv: whether it must be able to make environments itself
    :raises NvidiaError: when there is none
    """
    programs, allowed = candidates(asked)
    lame = None
    for program in programs:
        told = examine(system, program)
        if told is None or (allowed and not allowed[0] <= told["version"][1] <= allowed[1]):
            continue
        if told["venv"] or not with_venv:
            return told["path"]
        lame = lame or told
    if lame:
        release = ".".join(map(str, lame["version"]))
        raise NvidiaError(
            f"{lame['path']} cannot make environments: its modules venv and ensurepip are not installed. Install "
            f"python{release}-venv (Debian, Ubuntu), or uv and set installer to uv. Nothing was changed."
        )
    raise NvidiaError(
        f"There is no Python {asked or 'named python3'} on the host (looked for {', '.join(programs)}). Install one, "
        "or set python to the path of another. Nothing was changed."
    )


def examine(system, program):
    """{version, path, venv} of an interpreter, or None when it is none."""
    if system.which(program) is None:
        return None
    told = system.run([program, "-I", "-c", ASK], timeout=60)
    try:
        answer = json.loads(told.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return answer if told.rc == 0 and answer.get("path") else None
