# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables in an instance's environment: those that a person may set, and those that the plan sets."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, warning

SOURCE = "vllm_serve_instances"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET = re.compile(r"(?:_|^)(?:API_KEY|TOKEN|SECRET|PASSWORD|PASSWD|ACCESS_KEY|SECRET_KEY)$", re.IGNORECASE)
INSTEAD = {
    "VLLM_API_KEY": "vllm_serve_api_key or vllm_serve_api_keys",
    "HF_TOKEN": "vllm_serve_hf_token",
    "HUGGING_FACE_HUB_TOKEN": "vllm_serve_hf_token",
    "CUDA_VISIBLE_DEVICES": "the field gpus",
    "CUDA_DEVICE_ORDER": "the field gpus",
    "VLLM_USE_V1": "the field engine",
}
Findings = list[dict[str, str]]


def environment_findings(spec: dict[str, Any]) -> Findings:
    """What is wrong with the ``environment`` of one instance."""
    label, found = f"Instance {spec['name']}", []
    for name, value in spec["environment"].items():
        if not NAME.fullmatch(str(name)):
            text = f"{label}: {name!r} is not the name of a variable of an environment. Correct it."
            found.append(error("vllm_environment_name", text, SOURCE))
        elif name in INSTEAD:
            text = f"{label}: environment sets {name}, which {INSTEAD[name]} is for. Use that."
            found.append(error("vllm_environment_owned", text, SOURCE))
        elif SECRET.search(str(name)):
            text = (
                f"{label}: environment sets {name}, which by its name is a secret, and this list is shown in reports."
                " Put it into vllm_serve_secrets."
            )
            found.append(error("vllm_environment_secret", text, SOURCE))
        elif isinstance(value, (dict, list)) or value is None or re.search(r"[\x00\n\r]", str(value)):
            text = f"{label}: the value of {name} in environment is not one line of text. Correct it, in quotes."
            found.append(error("vllm_environment_value", text, SOURCE))
        else:
            found += _traps(label, str(name), spec)
    return found


def _traps(label: str, name: str, spec: dict[str, Any]) -> Findings:
    if name == "VLLM_PORT" and str(spec["environment"][name]) == str(spec["port"]):
        text = (
            f"{label}: VLLM_PORT is not the port of the server but the first of its inner ones, and here it is"
            " the same. Remove it."
        )
        return [error("vllm_environment_port", text, SOURCE)]
    if name == "VLLM_SERVER_DEV_MODE":
        text = (
            f"{label}: VLLM_SERVER_DEV_MODE opens routes that need no key and that put the server to sleep or run code"
            f" in it. Keep it to a server that {spec['host']} does not offer to others."
        )
        return [warning("vllm_development_routes", text, SOURCE)]
    if name == "VLLM_USE_MODELSCOPE":
        text = (
            f"{label}: VLLM_USE_MODELSCOPE needs the package modelscope beside vLLM even for a model that is there. The"
            " model is better fetched beforehand."
        )
        return [warning("vllm_modelscope_at_start", text, SOURCE)]
    return []


def text_of(value: Any) -> str:
    """A value as an environment has it: a YAML ``true`` is 1."""
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)
