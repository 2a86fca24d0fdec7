# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subset gridd of the facts: a machine without the licensing daemon is asked whether some files exist, no more."""

from __future__ import annotations

DAEMON = "/usr/bin/nvidia-gridd"
CONF = "/etc/nvidia/gridd.conf"
FOLDER = "/etc/nvidia/ClientConfigToken"
NOTHING: dict = {
    "present": False,
    "conf": {"path": CONF, "exists": False, "values": {}, "unknown": [], "legacy": [], "duplicates": [], "errors": []},
    "tokens": [],
    "service": {
        "present": False,
        "ours": False,
        "enabled": False,
        "active": False,
        "sub": None,
        "pid": None,
        "since": None,
    },
    "clock": {"synchronized": None, "source": None, "offset_s": None, "now": None},
    "gpus": [],
    "last_event": None,
    "cause": None,
    "restart_pending": False,
    "state": "not_applicable",
}


# What is there while somebody sets the clock.
CLOCKS = (
    ("/run/chrony/chronyd.pid", "chrony"),
    ("/run/chronyd.pid", "chrony"),
    ("/run/systemd/timesync", "timesyncd"),
    ("/run/ntpd.pid", "ntp"),
)


def is_present(system):
    return system.exists(DAEMON) or system.exists(CONF)


def may_be_licensed(row):
    """Whether a GPU may need a licence: a virtual one always does."""
    return row.get("virtualization_mode") == "vgpu" or bool((row.get("licensing") or {}).get("supported"))


def observe(system, rows, certain, driver, clock):
    """``ansible_facts['nvidia']['gridd']``; see RETURN of gpu_facts for its shape.

    :param rows: NVML's rows; :param certain: whether NVML answered
    :param driver: version of the loaded driver, or None; :param clock: gives the seconds since the epoch
    """
    present = is_present(system)
    if not present and not any(map(may_be_licensed, rows)):
        source = next((name for path, name in CLOCKS if system.exists(path)), None)
        return {**NOTHING, "clock": {**NOTHING["clock"], "source": source}}
    # Loaded only here: reading these modules would cost every machine that has no such daemon.
    from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_observe

    return _gridd_observe.observe(system, present, rows, certain, driver, clock())
