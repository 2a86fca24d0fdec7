# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a file is, and who may do what with it: ``(mode, uid, gid)`` as ModuleSystem.stat gives them, or None."""

from __future__ import annotations

OPEN = 0o022  # writable for others than the owner
ROOT = (0, 0)  # user and group


def is_open(rights):
    """Whether somebody else than root may write it, or it belongs to another user or group than root's."""
    return rights is not None and bool(rights[0] & OPEN or rights[1:] != ROOT)


def is_readable(rights):
    """The same of what nobody but root may read either."""
    return rights is not None and bool(rights[0] & 0o077 or rights[1:] != ROOT)
