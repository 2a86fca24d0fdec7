# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May a vGPU driver's runfile be run beside what is loaded, and does it load its modules?"""

from __future__ import annotations

from typing import Any

# Since these branches the installer can run beside a loaded driver, and leave its own module unloaded.
BESIDE, NO_LOADING = 545, 550


def has_nouveau(facts: dict[str, Any]) -> bool:
    return bool((facts.get("nouveau") or {}).get("loaded"))


def nouveau_first(facts: dict[str, Any], branch: int) -> bool:
    """Older installers load their module at once, so that nouveau has to be gone before they run."""
    return branch < NO_LOADING and has_nouveau(facts)


def nouveau_reason(version: str | None) -> str:
    return (
        f"nouveau has the card, and the installer of {version} loads its module at once, so that nouveau has to be"
        " gone before it runs"
    )


def loading(facts: dict[str, Any], kernels: list[str], branch: int) -> dict[str, Any]:
    """Where another module holds the card, the installer leaves the modules alone: the reboot brings the new ones."""
    held = bool((facts.get("driver") or {}).get("loaded")) or has_nouveau(facts)
    loads = not held and kernels == [(facts.get("kernel") or {}).get("running")]
    return {"allow_running_driver": held and branch >= BESIDE, "load_modules": loads or branch < NO_LOADING}
