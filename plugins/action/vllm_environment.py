# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of module vllm_environment: shows how far an installation is."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.watched import WatchedAction


class ActionModule(WatchedAction):
    module = "gpufleet.nvidia.vllm_environment"
    telling = r"(Collecting|Downloading|Using cached|Building|Installing collected|Uninstalling|Successfully) "
