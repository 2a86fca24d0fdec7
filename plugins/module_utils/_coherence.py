# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the driver of one piece? One verdict, with the reasons as sentences."""

from __future__ import annotations

OPEN_SINCE = ("turing", "ampere", "ada", "hopper", "blackwell", "rubin")
NEED_OPEN = ("blackwell", "rubin")
ORDER = ("coherent", "needs_reload", "needs_reboot", "broken")
VERSION_MISMATCH = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH


def coherence(facts):
    """``{verdict, reasons}``: the worst of what was found decides; a reason each.

    ``absent``: no driver in any form. ``needs_reload``: user space or disk moved on, a reload is enough.
    ``needs_reboot``: only a boot mends it. ``broken``: somebody has to mend it.

    :param facts: subsets system, kernel, pci and driver; nvml and gpus count when they are there
    """
    driver = facts["driver"]
    if not driver["loaded"] and not driver["library"] and not any(driver["on_disk"].values()):
        left = (
            driver["install"]["packages"] and "packages of the driver are installed, but neither modules nor libraries"
        )
        return {"verdict": "broken", "reasons": [f"{left}."]} if left else {"verdict": "absent", "reasons": []}
    found = [*_versions(facts), *_disk(facts), *_cards(facts), *_install(driver), *_nvml(facts)]
    verdict = max((state for state, _reason in found), key=ORDER.index, default="coherent")
    return {"verdict": verdict, "reasons": [reason for _state, reason in found]}


def _versions(facts):
    loaded, library = facts["driver"]["loaded"], facts["driver"]["library"]
    disk = facts["driver"]["on_disk"].get(facts["kernel"]["running"])
    found = []
    if loaded and library and loaded["version"] != library["version"]:
        found.append(("needs_reload", f"loaded {loaded['version']}, libraries {library['version']}."))
    if loaded and disk and disk["version"] and loaded["version"] != disk["version"]:
        found.append(("needs_reload", f"loaded {loaded['version']}, on disk {disk['version']} for the running kernel."))
    if loaded and disk and {loaded["flavour"], disk["flavour"]} == {"open", "proprietary"}:
        found.append(("needs_reload", f"loaded {loaded['flavour']} modules, on disk {disk['flavour']} ones."))
    if not loaded and disk and library and disk["version"] and disk["version"] != library["version"]:
        found.append(("broken", f"modules on disk are {disk['version']}, libraries {library['version']}."))
    if loaded and not library:
        found.append(("broken", f"module {loaded['version']} is loaded, but there is no libnvidia-ml."))
    return found


def _disk(facts):
    """Modules on disk matter where the kernel is this machine's own."""
    if facts["place"] == "container":
        return []
    driver, kernel, found = facts["driver"], facts["kernel"], []
    on_disk, loaded = driver["on_disk"], driver["loaded"]
    if not loaded and _cards_of(facts):
        if on_disk.get(kernel["running"]):
            found.append(("needs_reboot", f"modules for {kernel['running']} are on disk, but none is loaded."))
        elif on_disk.get(kernel["next"]):
            found.append(
                ("needs_reboot", f"modules are built for {kernel['next']}, which boots next; {kernel['running']} runs.")
            )
        else:
            found.append(("broken", f"no NVIDIA module for kernel {kernel['running']} is on disk."))
    lost = kernel.get("next_source") != "running" and not on_disk.get(kernel["next"])  # "running": none can boot here
    if lost and (loaded or (any(on_disk.values()) and kernel["next"] != kernel["running"])):
        found.append(
            ("broken", f"kernel {kernel['next']} boots next and has no NVIDIA module: the next boot loses the driver.")
        )
    built = {row["kernel"] for row in driver["dkms"] if row["state"] == "installed"}
    for row in driver["dkms"]:
        if row["kernel"] in {kernel["running"], kernel["next"]} - built:
            found.append(
                (
                    "broken",
                    f"dkms: {row['module']}/{row['version']} is {row['state']} for {row['kernel']}, not installed.",
                )
            )
    return found


def _cards_of(facts):
    return [row for row in facts["pci"] if row["kind"] == "gpu" and row["driver"] != "vfio-pci"]


def _cards(facts):
    loaded, found = facts["driver"]["loaded"], []
    if facts["nouveau"]["bound"]:
        found.append(("needs_reboot", f"nouveau drives {', '.join(facts['nouveau']['bound'])}."))
    disk = facts["driver"]["on_disk"].get(facts["kernel"]["running"])
    flavour, where = (loaded["flavour"], "are loaded") if loaded else (disk and disk["flavour"], "are on disk")
    cards = [row for row in _cards_of(facts) if row["architecture"] not in ("unknown", None)]
    old = [row["address"] for row in cards if row["architecture"] not in OPEN_SINCE]
    new = [row["address"] for row in cards if row["architecture"] in NEED_OPEN]
    if flavour == "open" and old:
        found.append(("broken", f"open modules {where}, and cannot drive {', '.join(old)}: older than Turing."))
    if flavour == "proprietary" and new:
        found.append(("broken", f"proprietary modules {where}, and cannot drive {', '.join(new)}: it needs open ones."))
    return found


def _install(driver):
    found = []
    if driver["install"]["method"] == "mixed":
        found.append(("broken", "both packages and NVIDIA's runfile have installed a driver."))
    half = [row["name"] for row in driver["install"]["packages"] if row.get("state", "installed") != "installed"]
    if half:
        found.append(("broken", f"packages are not configured, run dpkg --configure -a: {', '.join(half)}."))
    return found


def _nvml(facts):
    nvml, loaded = facts.get("nvml"), facts["driver"]["loaded"]
    if not nvml or not loaded:
        return []
    if nvml["code"] == VERSION_MISMATCH:
        return [("needs_reload", "NVML says: driver/library version mismatch.")]
    found = [("broken", f"{row['reason']}.") for row in facts.get("partial", []) if row["source"] == "nvml"]
    if not nvml["available"]:  # without a code it is the binding that is missing, no fault of the driver
        return found + ([("broken", f"NVML says: {nvml['reason']}.")] if nvml["code"] else [])
    cards = {row["address"] for row in _cards_of(facts) if not row["physical_function"]}
    if len(cards) != len(facts["gpus"]):
        missing = ", ".join(sorted(cards - {gpu["address"] for gpu in facts["gpus"]})) or "none"
        count = f"{len(cards)} GPUs on the PCI bus, {len(facts['gpus'])} in NVML"
        found.append(("broken", f"{count}: {missing} missing."))
    return found
