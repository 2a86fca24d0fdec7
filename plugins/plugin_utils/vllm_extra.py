# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``arguments`` of an instance: options of vLLM itself, checked against the release like all others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import is_switched_by
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import spans_of, when
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_options import Sheet

SECRETS = {"api-key": "vllm_serve_api_key or vllm_serve_api_keys", "hf-token": "vllm_serve_hf_token"}
REFUSED = {
    "config": "a second file of options would contradict the ones here; write them here",
    "uds": "the service answers on host and port; remove it",
    "headless": "a server without a front end answers nobody; remove it",
    "help": "the server would print its options and end; remove it",
    "version": "the server would print its version and end; remove it",
}


def add_extra(sheet: Sheet, spec: dict[str, Any]) -> None:
    """Every element of ``arguments``, in the order of their names, so that the same spec gives the same line."""
    given: dict[str, Any] = {}
    for key in sorted(spec["arguments"], key=str):
        flag = str(key).lstrip("-").replace("_", "-")
        if flag in given:
            sheet.refuse("vllm_option_twice", f"arguments names --{flag} twice, in two spellings. Remove one.")
        given[flag] = spec["arguments"][key]
    for flag, value in given.items():
        _add(sheet, flag, value)


def _add(sheet: Sheet, flag: str, value: Any) -> None:
    said = f"arguments.{flag}"
    if flag in SECRETS:
        text = f"{said} is a secret, and everybody on the host can read a command line. Use {SECRETS[flag]}."
        sheet.refuse("vllm_secret_argument", text)
    elif flag in REFUSED:
        sheet.refuse("vllm_option_refused", f"{said} is not taken: {REFUSED[flag]}.")
    elif field := is_switched_by(flag):
        sheet.refuse("vllm_option_owned", f"{said} says what the field {field} is for. Use that.")
    elif value is None:
        text = f"{said} has no value, and vLLM would take the word None for one. Give it one, or remove it."
        sheet.refuse("vllm_option_value", text)
    elif not _names_one(sheet, flag):
        _unknown(sheet, flag, said)
    elif flag not in sheet.flags.kinds:  # --no-x: true is x: false, and --no-x: false is x: true
        if isinstance(value, bool):
            sheet.add(flag.removeprefix("no-"), not value, said)
        else:
            sheet.refuse("vllm_option_value", f"{said} is {value!r}, and takes no value: true or false.")
    else:
        sheet.add(flag, value, said)


def _names_one(sheet: Sheet, flag: str) -> bool:
    kinds = sheet.flags.kinds
    return flag in kinds or (flag.startswith("no-") and kinds.get(flag.removeprefix("no-")) == "pair")


def _unknown(sheet: Sheet, flag: str, said: str) -> None:
    """vLLM takes the beginning of an option for the option; here its whole name is wanted."""
    rows = spans_of(flag) or spans_of(flag.removeprefix("no-"))
    version = sheet.flags.version
    if rows:
        text = f"{said} is no option of vLLM {version}; {when(rows, version)}. Take that, or remove it."
        sheet.refuse("vllm_option_missing", text)
        return
    near = get_close_matches(flag, list(sheet.flags.kinds), n=1)
    hint = f"did you mean {near[0]}?" if near else "remove it, or correct its name."
    sheet.refuse("vllm_option_unknown", f"{said} is no option of vLLM {version} nor of another that is known: {hint}")
