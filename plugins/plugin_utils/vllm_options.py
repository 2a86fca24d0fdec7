# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One option of ``vllm serve`` as one release writes it, and the findings where that release cannot."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import Flags, ever, spans_of, when

SOURCE = "vllm_serve_instances"


class Option(NamedTuple):
    """An option without its dashes, with its values as text; a switch has none."""

    flag: str
    values: tuple[str, ...] = ()

    def argv(self) -> list[str]:
        if len(self.values) == 1 and self.values[0].startswith("-"):
            return [f"--{self.flag}={self.values[0]}"]
        return [f"--{self.flag}", *self.values]


class Sheet:
    """The options of one instance for one release, gathered one after another, and what is wrong with them."""

    def __init__(self, name: str, flags: Flags) -> None:
        self.name = name
        self.flags = flags
        self.options: list[Option] = []
        self.findings: list[dict[str, str]] = []

    def refuse(self, code: str, text: str) -> None:
        self.findings.append(error(code, f"Instance {self.name}: {text}", SOURCE))

    def add(self, flag: str, value: Any, said: str) -> None:
        """:param said: the field that wants it, for the finding where the release has no such option"""
        kind = self.flags.kinds.get(flag)
        if kind is None:
            rows = spans_of(flag)
            text = f"{said} needs the option --{flag}, which vLLM {self.flags.version} does not have;"
            self.refuse("vllm_option_missing", f"{text} {when(rows, self.flags.version)}. Take that, or leave it out.")
        elif not self._is_choice(flag, value, said):
            pass
        elif isinstance(value, bool):
            self._switch(flag, kind, value, said)
        elif kind in ("switch", "pair"):
            self.refuse("vllm_option_value", f"{said} is {value!r}, and --{flag} takes no value: true or false.")
        elif kind in ("list", "repeat"):
            self._several(flag, kind, value if isinstance(value, list) else [value], said)
        else:
            self.options.append(Option(flag, (text_of(value),)))

    def _is_choice(self, flag: str, value: Any, said: str) -> bool:
        """False: the release refuses the value. One that its source does not name may come from a plug-in of vLLM."""
        choices, named, version = self.flags.choices(flag), self.flags.named(flag), self.flags.version
        known = choices if choices is not None else named
        if known is None or isinstance(value, (bool, list, dict)) or str(value) in known:
            return True
        near = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {listed(known)}."
        if choices is None and str(value) in ever(flag):
            text = f"Instance {self.name}: {said} is {value}, which other releases know and vLLM {version} does not by"
            rest = "itself. Without a plug-in of vLLM that brings it, take another value, or another release."
            self.findings.append(warning("vllm_value_elsewhere", f"{text} {rest}", SOURCE))
            return True
        self.refuse("vllm_value_unknown", f"{said} is {value}, which vLLM {version} does not know: {hint}")
        return False

    def _switch(self, flag: str, kind: str, value: bool, said: str) -> None:
        if kind == "optional":
            self.options.append(Option(flag, () if value else ("false",)))
        elif kind not in ("switch", "pair"):
            text = f"{said} is {str(value).lower()}, and --{flag} takes a value. Give it one."
            self.refuse("vllm_option_value", text)
        elif value:
            self.options.append(Option(flag))
        elif kind == "pair":
            self.options.append(Option(f"no-{flag}"))
        # A switch without an opposite is off when it is not there.

    def _several(self, flag: str, kind: str, values: list[Any], said: str) -> None:
        texts = tuple(text_of(value) for value in values)
        if not texts or any(text.startswith("-") for text in texts):
            self.refuse("vllm_option_value", f"{said} has no value, or one that begins with a dash. Correct it.")
        elif kind == "list":
            self.options.append(Option(flag, texts))
        else:
            self.options += [Option(flag, (text,)) for text in texts]


def text_of(value: Any) -> str:
    """A value as the command line has it: a mapping or a list as JSON, always in the same order."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return repr(value) if isinstance(value, float) else str(value)
