# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of this collection's roles, read from their argument specifications."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[2] / "roles"


@cache
def role_options(folder: Path = ROLES) -> dict[str, dict[str, dict[str, Any]]]:
    """``{role: {option without the role's prefix: its specification}}``; read once for a process.

    Options that hold secrets (``no_log``) are left out: nothing that is planned depends on them.
    """
    found = {}
    for path in sorted(folder.glob("*/meta/argument_specs.yml")):
        role = path.parents[1].name
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        options = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["argument_specs"]["main"]["options"]
        found[role] = {
            name.removeprefix(f"{role}_"): spec for name, spec in options.items() if not spec.get("no_log", False)
        }
    return found
