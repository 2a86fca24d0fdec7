"""Shows a state at the machine's boundaries: trees under /run, bound over sysfs and procfs, rewritten in place."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from . import nvml_state, pci, texts
from .decide import Loaded

RUN = Path("/run/gpu-simulator")
TREE = RUN / "tree"
OUTER = RUN / "outer"
PERSISTENCE = RUN / "persistence"
# What is bound over what: folders first, then single files.
FOLDERS = {"pci": "/sys/bus/pci", "module": "/sys/module", "driver": "/proc/driver"}
FILES = {"modules": "/proc/modules", "devices": "/proc/devices", "osrelease": "/proc/sys/kernel/osrelease"}
TAINTS = {"open": "OE", "proprietary": "POE"}
# Device nodes must open, and no driver stands behind the real numbers here: all are /dev/null's twins.
NULL = os.makedev(1, 3)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(target)


def empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def bind(source: Path, target: str) -> None:
    subprocess.run(["mount", "--bind", str(source), target], check=True)


def mount_all() -> None:
    """Keeps a view of what is covered, then covers it."""
    (OUTER / "module").mkdir(parents=True, exist_ok=True)
    bind(Path("/sys/module"), str(OUTER / "module"))
    # Shared, it would be covered as well; systemd would then take it for a tmpfs, order it after swap.target, forget
    # that with the mount at a shutdown, and wait for swap.target for ever.
    subprocess.run(["mount", "--make-private", str(OUTER / "module")], check=True)
    for name, target in FILES.items():
        write(OUTER / name, Path(target).read_text() if Path(target).exists() else "")
    for name, target in FOLDERS.items():
        (TREE / name).mkdir(parents=True, exist_ok=True)
        bind(TREE / name, target)
    for name, target in FILES.items():
        write(TREE / name, "")
        if (
            Path(target).exists()
        ):  # a kernel without module support has no /proc/modules; programs are led to ours by kernel_stand_in.c
            bind(TREE / name, target)


def show_processor() -> None:
    """The processor of a virtual machine tells that there is a hypervisor; that of the outer machine may not."""
    lines = Path("/proc/cpuinfo").read_text().splitlines(keepends=True)
    told = [
        line.replace("\n", " hypervisor\n") if line.startswith("flags") and "hypervisor" not in line.split() else line
        for line in lines
    ]
    write(TREE / "cpuinfo", "".join(told))
    bind(TREE / "cpuinfo", "/proc/cpuinfo")


def hide_container() -> None:
    """The host plays a whole machine, so what names the container that it runs in is covered as well."""
    words = Path("/proc/1/environ").read_bytes().split(b"\0")
    (TREE / "environ").write_bytes(b"\0".join(word for word in words if not word.startswith(b"container")))
    bind(TREE / "environ", "/proc/1/environ")
    Path("/run/systemd/container").unlink(missing_ok=True)


def show_pci(profile: dict[str, Any], loaded: Loaded) -> None:
    tree = TREE / "pci"
    empty(tree)
    bound = pci.drivers(profile, loaded.nvidia_gpus, loaded.nouveau_gpus)
    for name in ("devices", "drivers", "slots"):
        (tree / name).mkdir()
    for name in [*(["nvidia"] if loaded.nvidia else []), *(["nouveau"] if loaded.nouveau else [])]:
        (tree / "drivers" / name).mkdir()
    for name in ("rescan", "drivers_probe"):
        write(tree / name, "")
    for function in pci.functions(profile):
        address = str(function["address"])
        folder = tree / "devices" / address
        for name, text in pci.files(function, bound.get(address)).items():
            write(folder / name, text)
        (folder / "config").write_bytes(pci.config_bytes(function))
        link(folder / "subsystem", "../../../../bus/pci")
        if function.get("iommu_group") is not None:
            link(folder / "iommu_group", f"../../../../kernel/iommu_groups/{function['iommu_group']}")
        if function.get("physical_function"):
            link(folder / "physfn", f"../{function['physical_function']}")
        if address in bound:
            link(folder / "driver", f"../../drivers/{bound[address]}")
            link(tree / "drivers" / bound[address] / address, f"../../devices/{address}")


def show_modules(loaded: Loaded) -> None:
    tree = TREE / "module"
    empty(tree)
    for entry in (OUTER / "module").iterdir():
        if not entry.name.startswith(("nvidia", "nouveau")):
            link(tree / entry.name, str(entry))
    for name in [*(["nouveau"] if loaded.nouveau else []), *loaded.modules, *loaded.others]:
        holders = loaded.users(name) if name in loaded.modules else []
        # nouveau drives the console of a machine that has just been installed, so it is in use.
        own = {
            "initstate": "live",
            "refcnt": str(1 if name == "nouveau" else len(holders)),
            "coresize": str(texts.SIZES.get(name, texts.SIZES["other"])),
        }
        if loaded.nvidia and name in loaded.modules:
            own.update(version=loaded.nvidia.version, taint=TAINTS[loaded.nvidia.flavour])
        else:
            own.update(taint="")
        for file, value in own.items():
            write(tree / name / file, f"{value}\n")
        (tree / name / "holders").mkdir()
        for holder in holders:
            link(tree / name / "holders" / holder, f"../../{holder}")
        driver = {"nvidia": "nvidia", "nouveau": "nouveau"}.get(name)
        if driver:
            link(tree / name / "drivers" / f"pci:{driver}", f"../../../bus/pci/drivers/{driver}")


def show_proc(profile: dict[str, Any], loaded: Loaded, parameters: dict[str, str]) -> None:
    empty(TREE / "driver")
    for name, text in (("modules", texts.modules_text), ("devices", texts.devices_text)):
        (TREE / name).write_text(text((OUTER / name).read_text(), loaded))
    if loaded.nvidia is None:
        return
    tree = TREE / "driver/nvidia"
    gpus = [gpu for gpu in profile["gpus"] if gpu["address"] in loaded.nvidia_gpus]
    write(tree / "version", texts.version_text(loaded.nvidia, **profile.get("build", {})))
    write(tree / "params", texts.parameters_text(parameters))
    write(tree / "registry", 'Binary: ""\n')
    for folder in ("patches", "warnings", "capabilities"):
        (tree / folder).mkdir()
    for minor, gpu in enumerate(gpus):
        write(tree / "gpus" / gpu["address"] / "information", texts.information_text(gpu, minor, loaded.nvidia))


def show_nodes(loaded: Loaded) -> None:
    """Makes the device nodes of the driver's cards, and removes those of a driver that is gone."""
    for node in Path("/dev").glob("nvidia*"):
        if not node.is_dir():
            node.unlink()
    if loaded.nvidia is None:
        return
    for name in [
        *(f"nvidia{n}" for n in range(len(loaded.nvidia_gpus))),
        "nvidiactl",
        "nvidia-uvm",
        "nvidia-uvm-tools",
    ]:
        os.mknod(f"/dev/{name}", stat.S_IFCHR, NULL)
        os.chmod(f"/dev/{name}", 0o666)


def show_nvml(profile: dict[str, Any], loaded: Loaded) -> None:
    """Writes the NVML stand-in's state, and a file per card whose lock says that a daemon holds the card open."""
    partial = RUN / "nvml.new"
    write(partial, nvml_state.text(profile, loaded))
    partial.rename(RUN / "nvml.state")
    PERSISTENCE.mkdir(exist_ok=True)
    for entry in PERSISTENCE.iterdir():
        if entry.name.removesuffix(".legacy") not in loaded.nvidia_gpus:
            entry.unlink()
    for gpu in profile.get("gpus", []):
        # A file that is there stays: somebody may hold its lock.
        if gpu["address"] in loaded.nvidia_gpus and not (PERSISTENCE / gpu["address"]).exists():
            write(PERSISTENCE / gpu["address"], "")
            os.chmod(PERSISTENCE / gpu["address"], 0o666)
            if gpu["nvml"].get("persistence_mode"):
                write(PERSISTENCE / f"{gpu['address']}.legacy", "")


def show(profile: dict[str, Any], loaded: Loaded, parameters: dict[str, str]) -> None:
    show_pci(profile, loaded)
    show_modules(loaded)
    show_proc(profile, loaded, parameters)
    show_nodes(loaded)
    show_nvml(profile, loaded)
