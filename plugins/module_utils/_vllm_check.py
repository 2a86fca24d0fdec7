# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an installed vLLM takes command lines, as findings."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_check_program as program
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_program import ask

# It computes nothing, reports nothing and asks no hub.
QUIET = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "CUDA_VISIBLE_DEVICES": "", "VLLM_LOGGING_LEVEL": "ERROR"}


def ensure(params, system, *, apply):
    """The result of the module `vllm_check`; see its RETURN.

    :raises NvidiaError: when nothing can be asked
    """
    names = [line["name"] for line in params["command_lines"]]
    refuse(params, names)
    nothing: dict = {name: [] for name in names}
    if not system.exists(system.real(params["python"])) and not apply:  # it would be installed by a task before
        return result(None, nothing, asked=False)
    if not names:
        return result(None, nothing, asked=False)
    lines = [{**line, "environment": line["environment"] or {}} for line in params["command_lines"]]
    answer = ask(system, params["python"], (program,), {"lines": lines}, params["timeout"], QUIET)
    if "error" in answer:
        raise NvidiaError(
            f"{params['python']} has no vLLM that can be asked: {answer['error']}. Look at the environment with "
            "gpufleet.nvidia.vllm_environment, or set python to another."
        )
    source = f"parser of vLLM {answer['version']}"
    return result(
        answer["version"], {name: findings(name, answer["lines"][name], source) for name in names}, asked=True
    )


def result(version, found, asked):
    return {
        "changed": False,
        "version": version,
        "asked": asked,
        "ok": not any(row["severity"] == "error" for rows in found.values() for row in rows),
        "findings": found,
    }


def findings(name, row, source):
    """[{severity, code, text, source}] of one command line."""
    found = []
    if not row["ok"]:
        text = (
            f"Instance {name}: the installed vLLM does not take its command line: {row['text'].rstrip('.')}. Correct "
            "arguments of the instance, or install a release that has them."
        )
        found.append({"severity": "error", "code": "vllm_command_line", "text": text, "source": source})
    if row["unknown"]:
        text = f"Instance {name}: the installed vLLM knows no {', '.join(row['unknown'])} and will pass over it."
        found.append({"severity": "warning", "code": "vllm_variable_unknown", "text": text, "source": source})
    return found


def refuse(params, names):
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NvidiaError(f"command_lines names {', '.join(twice)} twice; each name stands for one line.")
    if not params["python"].startswith("/"):
        raise NvidiaError(f"python is {params['python']}; give the whole path of an environment's interpreter.")
    if params["timeout"] <= 0:
        raise NvidiaError(f"timeout is {params['timeout']}; give the seconds that vLLM may take to load, such as 300.")
