# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of module package_file: brings a file from here to the host, when the host asks for it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.action import runfile


class ActionModule(runfile.ActionModule):
    """As that of the module runfile: the module is asked first, and most runs end there."""

    module = "gpufleet.nvidia.package_file"
