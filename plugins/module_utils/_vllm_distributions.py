# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names in an environment's site-packages tell: which distributions are there, and what is gone. Pure.

One listing of one folder is all that this needs, so that it can be asked at every look at a host.
"""

from __future__ import annotations

import re

DIST_INFO = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
BYTECODE = "__pycache__"


def normal(name):
    """The name of a distribution as all tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(names):
    """{name: version} by the names of metadata folders; several versions of one, which pip leaves, in one text."""
    found: dict = {}
    for match in filter(None, map(DIST_INFO.fullmatch, sorted(names))):
        found.setdefault(normal(match["name"]), []).append(match["version"])
    return {name: ", ".join(versions) for name, versions in found.items()}


def lasting(names):
    """The names that stay as they are until somebody installs or removes something."""
    return sorted(name for name in set(names) if name != BYTECODE and not name.startswith("~"))


def gone(record, names):
    """The names that an environment's record keeps and that are not there any more; [] for a record without them."""
    kept = record.get("site_packages") if isinstance(record, dict) else None
    return sorted({str(name) for name in kept} - set(names)) if isinstance(kept, list) else []
