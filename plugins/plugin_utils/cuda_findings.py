# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a CUDA toolkit, and what to do about it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_toolkits import (
    asked_updates,
    installed,
    is_grid_guest,
    release_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning

Findings = list[dict[str, str]]


def of_stack(stack: dict[str, Any]) -> Findings:
    """The resolver's findings that concern CUDA: what only the driver's role or another one must know is left to it."""
    theirs = [row["text"] for row in (stack.get("driver") or {}).get("findings") or []]
    rows = [row for row in stack.get("findings") or [] if not row["code"].startswith(("nccl", "vllm"))]
    return [row for row in rows if row["text"] not in theirs or row["code"] == "driver_too_old_for"]


def method_findings(facts: dict[str, Any], method: str, wants: dict[str, Any], missing: bool) -> Findings:
    """A package manager may replace the driver of a vGPU guest, which no repository can give back."""
    if not is_grid_guest(facts) or method == "runfile" or not missing:
        return []
    protected = (facts.get("grid") or {}).get("protected_by") or []
    if protected or wants["protect_driver_enabled"]:
        by = listed([str(row) for row in protected]) if protected else "cuda_protect_driver_enabled"
        text = (
            f"This is a vGPU guest, and its driver is protected by {by}: the toolkit comes as packages, and a"
            " transaction that would touch the driver is refused."
        )
        return [note("grid_driver_protected", text)]
    text = (
        f"cuda_method: {method} is refused on a vGPU guest: a package of CUDA can bring another driver, which removes"
        " the GRID driver, and no public repository can give that back. Set cuda_method: runfile and name NVIDIA's"
        " file in cuda_runfiles, or set cuda_protect_driver_enabled: true to keep every other driver out."
    )
    return [error("grid_method_refused", text)]


def distribution_findings(
    toolkits: list[dict[str, Any]], own: dict[str, Any] | None, platform: dict[str, Any] | None
) -> Findings:
    """A distribution has one release of its own, or none."""
    rows = [row for row in toolkits if row["method"] == "distribution" and not row["present"]]
    name = (platform or {}).get("name") or "this distribution"
    if rows and own is None:
        text = (
            f"It is not known which CUDA toolkit {name} packages itself. Set cuda_method: repository, or runfile with"
            " NVIDIA's file in cuda_runfiles."
        )
        return [error("distribution_toolkit_unknown", text)]
    wrong = [row["update"] or row["release"] for row in rows if own and not _is_own(row, own)]
    if own and wrong:
        text = (
            f"{name} packages CUDA {own['release']} and nothing else, not {listed(wrong)}. Ask for {own['release']} in"
            " cuda_versions, or set cuda_method: repository or runfile."
        )
        return [error("distribution_release", text)]
    return []


def _is_own(row: dict[str, Any], own: dict[str, Any]) -> bool:
    return row["release"] == own["release"] and row["update"] in (None, own["update"])


def mixed_findings(facts: dict[str, Any], toolkits: list[dict[str, Any]]) -> Findings:
    """The distribution's toolkit puts its compiler in /usr/bin, where every program finds it before any other."""
    others = [row for row in installed(facts) if row["source"] == "distribution"]
    wanted = [row for row in toolkits if row["path"] != "/usr"]
    kept = [row for row in toolkits if row["path"] == "/usr"]
    if kept and wanted:
        text = (
            f"CUDA {listed([row['release'] for row in kept])} of the distribution and"
            f" {listed([r['release'] for r in wanted])} beside it must not be mixed: the distribution puts nvcc in"
            " /usr/bin and its headers in /usr/include. Take all of them by cuda_method: repository or runfile."
        )
        return [error("toolkits_mixed", text)]
    if others and wanted:
        text = (
            f"The distribution's CUDA {others[0]['release']} is installed"
            f" ({others[0].get('package') or 'nvidia-cuda-toolkit'}) and must not be mixed with CUDA"
            f" {listed([row['release'] for row in wanted])}: it puts nvcc in /usr/bin and headers in /usr/include."
            " Remove it with the role (cuda_state: absent) or with the package manager, and run again."
        )
        return [error("toolkits_mixed", text)]
    return []


def update_findings(wants: dict[str, Any], catalogue: Catalogue) -> Findings:
    """Exact versions that the catalogue does not have."""
    found = []
    for release, version in asked_updates(wants).items():
        row = catalogue.cuda["releases"].get(release)
        if row and version not in row["updates"]:
            text = (
                f"CUDA {version} is not known; of {release} there are {listed(list(row['updates']))}. Name one of those"
                f" in cuda_versions, or {release} alone for the newest."
            )
            found.append(error("cuda_update_unknown", text, catalogue.cite(row["src"])))
    return found


def runfile_name(release: str, update: str | None, machine: str | None, catalogue: Catalogue) -> str:
    """The file's name as NVIDIA gives it: with the version of the driver in it as long as there is one."""
    row = catalogue.cuda["releases"].get(release) or {"updates": {}}
    version = update or next(iter(row["updates"]), f"{release}.VERSION")
    driver = row["updates"].get(version)
    parts = ["cuda", version, *([driver] if driver else []), "linux_sbsa" if machine == "aarch64" else "linux"]
    return f"{'_'.join(parts)}.run"


def runfile_findings(
    toolkits: list[dict[str, Any]], runfiles: dict[str, Any], machine: str | None, catalogue: Catalogue
) -> Findings:
    """NVIDIA's files are for the owner to get."""
    found = []
    for row in toolkits:
        if row["method"] != "runfile" or row["present"]:
            continue
        given = runfiles.get(row["release"]) or {}
        name = runfile_name(row["release"], row["update"], machine, catalogue)
        if not given.get("src"):
            text = (
                f"CUDA {row['release']} is to come from a runfile and cuda_runfiles has none for it. Get {name} from"
                " NVIDIA's CUDA Toolkit Archive (choose Linux, the machine, any distribution, runfile), compute its"
                f' checksum with `sha256sum {name}`, and set cuda_runfiles: {{"{row["release"]}": {{src: /path/{name},'
                " sha256: …}}."
            )
            found.append(error("runfile_missing", text))
        elif not given.get("sha256"):
            text = (
                f"cuda_runfiles names {given['src']} for CUDA {row['release']} without its sha256, and a file that"
                " runs as root must be known. Compare it with NVIDIA's list of checksums, compute it with `sha256sum"
                f" {name}`, and set it."
            )
            found.append(error("runfile_checksum_missing", text))
    return found


def default_findings(toolkits: list[dict[str, Any]], wants: dict[str, Any]) -> Findings:
    """The toolkit that /usr/local/cuda shall mean must be one of them."""
    if not wants["default"] or not toolkits or release_of(wants["default"]) in [row["release"] for row in toolkits]:
        return []
    text = (
        f"cuda_default is {wants['default']}, which is none of the toolkits of this host:"
        f" {listed([row['release'] for row in toolkits])}. Add it to cuda_versions, or name one of those."
    )
    return [error("cuda_default_unknown", text)]


def other_findings(
    toolkits: list[dict[str, Any]], method: str, wants: dict[str, Any], facts: dict[str, Any]
) -> Findings:
    """What is there by another way than the declared one, and cuDNN where it cannot come."""
    found = []
    for row in toolkits:
        if row["present"] and row["source"] not in (method, "unknown"):
            text = (
                f"CUDA {row['release']} is there already, from the {row['source']}, and is left as it is although"
                f" cuda_method is {method}."
            )
            found.append(note("toolkit_by_other_method", text))
    if wants["cudnn_enabled"] and toolkits and method != "repository":
        text = (
            f"cuDNN comes from NVIDIA's repository only, and cuda_method is {method}: a runfile does not hold it, and"
            " Debian's nvidia-cudnn fetches it while it asks for a licence. Set cuda_cudnn_enabled: false (frameworks"
            " bring their own), or cuda_method: repository."
        )
        found.append(error("cudnn_not_offered", text))
    driver = (facts.get("driver") or {}).get("install") or {}
    if method == "distribution" and driver.get("method") == "none" and any(not row["present"] for row in toolkits):
        text = (
            "The host has no driver, and the distribution's toolkit needs the driver's libraries: they come along,"
            " from the distribution. Have nvidia_driver run first if the driver is to come from elsewhere."
        )
        found.append(warning("driver_libraries_come", text))
    return found
