# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments as text: a line for ``ExecStart`` of systemd, or a file for ``--config`` of vLLM."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import Flags
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_options import Option

PLAIN = re.compile(r"[A-Za-z0-9_@:,./=+-]+")
HEAD = "# Managed by Ansible (gpufleet.nvidia.vllm_serve); changes are overwritten.\n"


def exec_line(argv: list[str]) -> str:
    """The words quoted as systemd reads them: no variable and no specifier in them is looked up."""
    return " ".join(_word(word) for word in argv)


def _word(word: str) -> str:
    text = word.replace("%", "%%").replace("$", "$$")
    if PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def config_of(model: str, options: list[Option], flags: Flags) -> dict[str, Any]:
    """``{argv, content}``: the least that must stand on the command line, and the file that holds the rest.

    Only what every release reads the same goes into the file: texts and ``true``. Lists and options that are repeated
    stay on the command line; ``false`` would be dropped silently, so an opposite is written as ``no-…: true``.
    ``content`` is None for releases that read such a file differently.
    """
    if not flags.can("config_file"):
        return {"argv": ["serve", model, *(word for option in options for word in option.argv())], "content": None}
    names = [option.flag for option in options]
    inside = [option for option in options if len(option.values) <= 1 and names.count(option.flag) == 1]
    inside = [option for option in inside if flags.kinds.get(option.flag) not in ("list", "repeat")]
    outside = [word for option in options if option not in inside for word in option.argv()]
    lines = [f"{option.flag}: {_scalar(option)}\n" for option in inside]
    return {"argv": ["serve", model, *outside], "content": HEAD + "".join(lines)}


def _scalar(option: Option) -> str:
    """JSON is YAML, and its texts are quoted: no number or word is taken for something else."""
    return json.dumps(option.values[0], ensure_ascii=False) if option.values else "true"
