# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing CUDA toolkits: each by the way that it came."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_toolkits as toolkits
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import warning


def plan_absent(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any]) -> None:
    """Removes the toolkits of ``versions``, or without any all that are there; never a package of the driver."""
    seen = facts.get("cuda") or {}
    names = {toolkits.release_of(text) for text in wants["versions"] if str(text) != "auto"}
    rows = seen.get("toolkits") or []
    going = [row for row in rows if not names or row["release"] in names]
    staying = [row for row in rows if row not in going and row["path"] != "/usr"]
    installed = [row["name"] for row in seen.get("packages") or []]
    for row in going:
        if row["source"] == "repository":
            plan["remove"] += toolkits.parts([row])
        elif row["source"] == "distribution":
            plan["remove"] += [row["package"] or "nvidia-cuda-toolkit"]
        elif row["source"] == "runfile":
            plan["runfiles"].append({"release": row["release"], "toolkit_path": row["path"]})
        else:
            plan["findings"].append(_unknown(row))
            continue
        plan["steps"].append(f"Remove CUDA {row['release']} of {row['path']}, from the {row['source']}")
        plan["deviations"].append(f"CUDA {row['release']} is still in {row['path']}.")
    cudnn = [name for name in installed if name.startswith(("cudnn9-cuda-", "libcudnn9-"))]
    if cudnn and not staying:
        plan["remove"] += cudnn
        plan["steps"].append(f"Remove {', '.join(cudnn)}")
    if staying:
        return
    plan["files"] = [{"path": path, "state": "absent"} for path in (files.PROFILE, files.LINKER, files.PREFERENCES)]
    for file in plan["files"]:
        if not files.is_current(file, seen.get("files") or {}):
            plan["steps"].append(f"Remove {file['path']}")
            plan["deviations"].append(f"{file['path']} is still there.")
    if (seen.get("default") or {}).get("alternatives"):
        plan["link"] = {"path": None, "choices": []}
        plan["steps"].append(f"Remove {files.DEFAULT}")


def _unknown(row: dict[str, Any]) -> dict[str, str]:
    text = (
        f"It is not known how CUDA {row['release']} came to {row['path']}: no package owns it and no uninstaller lies"
        " in it. It is left alone; remove the folder yourself if that is right."
    )
    return warning("toolkit_of_unknown_origin", text)
