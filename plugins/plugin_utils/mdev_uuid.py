# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UUIDs of virtual GPUs by what they are for, so that a virtual machine's definition can name one beforehand."""

from __future__ import annotations

import uuid

NAMESPACE = uuid.UUID("5c1b6a7e-0f0a-5d0c-9a51-3f1d2b7a9c40")


def mdev_uuid(name: str, host: str, index: int = 0) -> str:
    """The UUID of the device with a number among those of a request on a host; the same for the same words, always."""
    return str(uuid.uuid5(NAMESPACE, f"{host}\n{name}\n{int(index)}"))
