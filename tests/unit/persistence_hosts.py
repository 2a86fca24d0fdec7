"""Facts of hosts with the persistence daemon in every shape, and what they become when a plan is carried out."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_unit as unit_files

Facts = dict[str, Any]
UNIT = "nvidia-persistenced.service"
DROP_IN = unit_files.drop_in_path(UNIT)
LINK = unit_files.link_path(UNIT)
ETC = f"/etc/systemd/system/{UNIT}"
LIB = f"/usr/lib/systemd/system/{UNIT}"
COMMANDS = {
    "debian": "/usr/bin/nvidia-persistenced --user nvpd",
    "ubuntu": "/usr/bin/nvidia-persistenced --user nvidia-persistenced --no-persistence-mode --verbose",
    "rpm": "/usr/bin/nvidia-persistenced --user nvidia-persistenced",
}
STATES = {"debian": "enabled", "ubuntu": "static", "rpm": "enabled"}
PACKAGED: dict[str | None, dict[str, str]] = {
    "debian": {"package": "nvidia-persistenced", "unit_file_state": "enabled"},
    "ubuntu": {"package": "nvidia-compute-utils-{series}", "unit_file_state": "static"},
    "rpm": {"package": "nvidia-persistenced", "unit_file_state": "enabled"},
    "arch": {"package": "nvidia-utils", "unit_file_state": "disabled"},
}
for _name, _row in PACKAGED.items():
    _row.update(path=LIB, exec_start=COMMANDS[str(_name) if _name in COMMANDS else "rpm"])
INSTALL = "\n[Install]\nWantedBy=multi-user.target\n"


def host(
    shape: str | None,
    *,
    unit_file_state: str | None = None,
    active: bool = True,
    failed: bool = False,
    on: bool | None = None,
    drop_in: str | None = None,
    exec_start: str | None = None,
    loaded: bool = True,
    daemon: bool | None = None,
    version: str = "580.95.05",
    service_manager: str | None = "systemd",
) -> Facts:
    """A host with two GPUs and its driver; *shape* is debian, ubuntu, rpm, masked, or None for no unit."""
    unit = None
    if shape == "masked":
        unit = _unit(ETC, "", "masked", "masked", False, False, {ETC: ""})
    elif shape:
        text = f"[Service]\nExecStart={COMMANDS[shape]}\n{'' if shape == 'ubuntu' else INSTALL}"
        texts = {LIB: text, **({DROP_IN: drop_in} if drop_in is not None else {})}
        effective = exec_start or unit_files.command_of(list(texts.values())) or ""
        unit = _unit(LIB, effective, "loaded", unit_file_state or STATES[shape], active, failed, texts)
    if on is None:
        on = bool(unit and unit["active_state"] == "active" and "--no-persistence-mode" not in unit["exec_start"])
    driver = {"version": version, "flavour": "open"}
    return {
        "system": {"service_manager": service_manager, "container": None, "distribution": "debian", "like": []},
        "place": "bare_metal",
        "pci": [_card("0000:01:00.0"), _card("0000:02:00.0")],
        "driver": {
            "loaded": driver if loaded else None,
            "on_disk": {"6.1.0": driver},
            "library": {"version": version},
            "install": {"method": "packages", "packages": [{"name": "libnvidia-compute-580", "held": False}]},
        },
        "nvml": {"available": loaded, "reason": None},
        "gpus": [{"index": number, "persistence_mode": on} for number in range(2)] if loaded else [],
        "coherence": {"verdict": "coherent", "reasons": []},
        "persistence": {
            "unit": unit,
            "daemon": "/usr/bin/nvidia-persistenced" if daemon or shape not in (None, "masked") else None,
            "mode": "legacy" if on and unit is None else "daemon" if on else "off",
            "socket": active,
        },
    }


def _card(address: str, driver: str = "nvidia") -> Facts:
    return {"address": address, "kind": "gpu", "driver": driver}


def _unit(path: str, effective: str, load: str, state: str, active: bool, failed: bool, texts: dict[str, str]) -> Facts:
    return {
        "path": path,
        "load_state": load,
        "unit_file_state": state,
        "active_state": "active" if active else "failed" if failed else "inactive",
        "result": "exit-code" if failed else "success",
        "drop_ins": [name for name in texts if name != path],
        "exec_start": effective,
        "texts": texts,
    }


def unit_of(facts: Facts) -> Facts:
    found: Facts = facts["persistence"]["unit"]
    return found


def runfile(unit_text: str | None = None) -> Facts:
    """A driver from NVIDIA's runfile: the daemon is there, its unit is not, or is somebody's own."""
    facts = host(None, daemon=True)
    facts["driver"]["install"] = {"method": "runfile", "packages": []}
    if unit_text is not None:
        command = unit_files.command_of([unit_text]) or ""
        facts["persistence"]["unit"] = _unit(ETC, command, "loaded", "enabled", True, False, {ETC: unit_text})
    return facts


def no_gpu() -> Facts:
    return {**host(None, loaded=False), "pci": []}


def guests_only() -> Facts:
    return {**host(None, loaded=False), "pci": [_card("0000:01:00.0", "vfio-pci")]}


def container() -> Facts:
    facts = {**host(None, loaded=False, service_manager=None), "place": "container"}
    facts["system"]["container"] = "docker"
    return facts


def no_driver() -> Facts:
    facts = host(None, loaded=False)
    facts["driver"].update(on_disk={"6.1.0": None}, library=None, install={"method": "none", "packages": []})
    return facts


def carried_out(facts: Facts, plan: Facts) -> Facts:
    """The facts after the plan, as systemd and the driver would have them."""
    facts = copy.deepcopy(facts)
    persistence = facts["persistence"]
    if plan["unmask"] or plan["packages"]:  # the role looks again before it goes on
        persistence["unit"] = host("debian", active=False, on=False)["persistence"]["unit"]
        persistence["daemon"] = "/usr/bin/nvidia-persistenced"
        return facts
    for gpu in facts["gpus"] if plan["legacy"] else []:
        gpu["persistence_mode"] = plan["legacy"] == "enabled"
    unit = persistence["unit"]
    for file in plan["files"]:
        if "content" in file and unit is None:
            unit = persistence["unit"] = _unit(file["path"], "", "loaded", "disabled", False, False, {})
        if "content" in file:
            unit["texts"][file["path"]] = file["content"]
        else:
            unit["texts"].pop(file["path"], None)
            if file["path"] == LINK:
                unit["unit_file_state"] = "static"
    if unit is None or unit["path"] not in unit["texts"]:
        persistence["unit"] = None
        return facts
    unit["drop_ins"] = [name for name in unit["texts"] if name != unit["path"]]
    unit["exec_start"] = unit_files.command_of([unit["texts"][unit["path"]], *map(unit["texts"].get, unit["drop_ins"])])
    if plan["link"] or plan["enable"]:
        unit["unit_file_state"] = "enabled"
    if plan["start"]:
        unit.update(active_state="active", result="success")
        for gpu in facts["gpus"]:
            gpu["persistence_mode"] = "--no-persistence-mode" not in unit["exec_start"].split()
    return facts
