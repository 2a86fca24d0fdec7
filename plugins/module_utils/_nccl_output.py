# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of nccl-tests says, as JSON or as text: rows with sizes in bytes, times in µs, bandwidths in GB/s.

Its JSON holds the whole environment of the process: it is left behind here and goes nowhere.
"""

from __future__ import annotations

import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

DEVICE = re.compile(r"^#\s+Rank\s+(\d+) .*? on\s+(\S+) device\s+(\d+) \[(\S+)\] (.+)$", re.M)
WRONG = re.compile(r"^# Out of bounds values : (\d+) (\w+)", re.M)
AVERAGE = re.compile(r"^# Avg bus bandwidth\s+: ([\d.]+)", re.M)
LIBRARY = re.compile(r"nccl-library=(\d+)")


def version_of(code):
    """22809 gives 2.28.9, and 2708 of before 2.9 gives 2.7.8; None for what is no number."""
    if not isinstance(code, int) or code <= 0:
        return None
    if code < 10000:
        return f"{code // 1000}.{code % 1000 // 100}.{code % 100}"
    return f"{code // 10000}.{code % 10000 // 100}.{code % 100}"


def _side(time, algorithm, bus, wrong):
    return {"time_us": time, "algorithm_bandwidth": algorithm, "bus_bandwidth": bus, "wrong": wrong}


def _json_side(row):
    if not isinstance(row, dict) or not isinstance(row.get("bus_bw"), (int, float)):
        return None
    wrong = row.get("nwrong")
    return _side(
        row.get("time"), row.get("alg_bw"), row["bus_bw"], int(wrong) if isinstance(wrong, (int, float)) else None
    )


def parse_json(text):
    """``{rows, devices, nccl_version, average_bus_bandwidth, wrong}`` of the file that ``-J`` writes.

    :raises NvidiaError: for a file that is none of nccl-tests
    """
    try:
        data = json.loads(text or "")
        results = data["results"]
        rows = [
            {
                "size": int(row["size"]),
                "count": int(row["count"]),
                "type": str(row["type"]),
                "out_of_place": _json_side(row.get("out_of_place")),
                "in_place": _json_side(row.get("in_place")),
            }
            for row in results
        ]
        devices = [
            {key: row.get(key) for key in ("rank", "hostname", "device", "device_hex", "device_info")}
            for row in (data.get("config") or {}).get("devices") or []
        ]
        average = (data.get("average_bus_bandwidth") or {}).get("bandwidth")
        wrong = (data.get("out_of_bounds") or {}).get("count")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NvidiaError(
            f"The file that the test wrote is not the JSON of nccl-tests ({type(exc).__name__}). Run it once by hand"
            " with the same options, or set json: false to have its text read."
        ) from exc
    return _result(rows, devices, version_of(data.get("nccl_version")), average, wrong)


def parse_text(text):
    """The same from what the program prints; columns are found from the right, since the program's name adds some.

    :raises NvidiaError: when no row of results is in it
    """
    rows = []
    for line in (text or "").splitlines():
        words = line.split()
        if line.startswith("#") or len(words) < 12 or not words[0].isdigit() or not words[1].isdigit():
            continue
        sides = [_numbers(words[-8:-4]), _numbers(words[-4:])]
        row = {"size": int(words[0]), "count": int(words[1]), "type": words[2]}
        rows.append({**row, "out_of_place": sides[0], "in_place": sides[1]})
    if not rows:
        raise NvidiaError(
            "The program printed no results of nccl-tests. Is it one of its programs (all_reduce_perf and so on)?"
        )
    devices = [
        {"rank": int(rank), "hostname": host, "device": int(device), "device_hex": address, "device_info": name.strip()}
        for rank, host, device, address, name in DEVICE.findall(text)
    ]
    library, average, wrong = LIBRARY.search(text), AVERAGE.search(text), WRONG.search(text)
    return _result(
        rows,
        devices,
        version_of(int(library[1])) if library else None,
        float(average[1]) if average else None,
        int(wrong[1]) if wrong else None,
    )


def _numbers(words):
    """Four columns: time, algbw, busbw, #wrong; None where the column is N/A or no number."""
    try:
        time, algorithm, bus = (float(word) for word in words[:3])
    except ValueError:
        return None
    return _side(time, algorithm, bus, int(words[3]) if words[3].isdigit() else None)


def _result(rows, devices, version, average, wrong):
    sides = [row[side] for row in rows for side in ("out_of_place", "in_place") if row[side]]
    counted = sum(side["wrong"] or 0 for side in sides)
    return {
        "rows": rows,
        "devices": devices,
        "nccl_version": version,
        "average_bus_bandwidth": average,
        "wrong": max(counted, wrong or 0),
    }
