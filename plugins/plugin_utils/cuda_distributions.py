# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CUDA toolkit that a distribution packages itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import catalogue


@cache
def _table() -> dict[str, Any]:
    path = Path(catalogue.__file__).parent / "cuda_distributions.yml"
    table: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return table


def distribution_toolkit(platform_name: str | None) -> dict[str, Any] | None:
    """``{release, update, packages, companions, src}`` of a platform such as ``Debian 13``; None: none is known."""
    return _table().get(platform_name or "")
