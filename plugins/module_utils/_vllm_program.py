# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a small program of ours with an environment's own Python and libraries.

The program and all that it is told come on standard input, so that no secret stands on a command line.
"""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

START = """
import json, sys, types
told = json.load(sys.stdin)
for name, text in told.pop("program"):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main(told)
"""
MARK = "GPUFLEET "


def text_of(module):
    """The source of a module of this collection, also where it comes out of an archive."""
    return module.__loader__.get_source(module.__name__)


def ask(system, python, modules, request, timeout, env=None):
    """What the program answers: the object in its last marked line.

    :param modules: those of this collection that it is made of, each after what it imports; the last has ``main(told)``
        that prints ``MARK`` and a JSON object
    :raises NvidiaError: when it does not run or says nothing
    """
    told = json.dumps({**request, "program": [[module.__name__, text_of(module)] for module in modules]})
    done = system.run([python, "-c", START], timeout=timeout, data=told, env={"PYTHONNOUSERSITE": "1", **(env or {})})
    lines = [line[len(MARK) :] for line in done.out.splitlines() if line.startswith(MARK)]
    if lines:
        return json.loads(lines[-1])
    if done.rc == 127:
        raise NvidiaError(f"There is no {python}. Set python to the interpreter of an environment.")
    last = [line for line in (done.err or done.out).splitlines() if line.strip()][-1:]
    why = last[0].strip() if last else "it said nothing"
    raise NvidiaError(f"{python} ended with {done.rc} before it answered: {why}")
