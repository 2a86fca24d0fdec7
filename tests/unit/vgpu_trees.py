"""Trees of files that stand in for the sysfs of vGPU hosts, below a temporary folder; written after documentation."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vgpu_cards

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "roles" / "vgpu_host" / "files" / "vgpu-restore"
A16, P4 = "0000:3b:00.0", "0000:05:00.0"
UUID = "83c32df7-d52e-4ec1-9668-00000000000{}"


def program() -> tuple[Any, Any]:
    """The restore program as a module of its own, which is how a test steps through it."""
    sys.modules["vgpu_cards"] = _vgpu_cards
    for name, file in (("machine", "machine.py"), ("vgpu_restore_program", "__main__.py")):
        spec = importlib.util.spec_from_file_location(name, FILES / file)
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules["vgpu_restore_program"], sys.modules["machine"]


def installed(folder):
    """The program as the role lays it down."""
    place = folder / "vgpu-restore"
    shutil.copytree(FILES, place, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "plugins" / "module_utils" / "_vgpu_cards.py", place / "vgpu_cards.py")
    return place


class Tree:
    """:param root: an empty folder"""

    def __init__(self, root):
        self.root = Path(root)

    def at(self, path):
        return self.root / path.lstrip("/")

    def file(self, path, text="", mode=0o644):
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def read(self, path):
        return self.at(path).read_text(encoding="utf-8").strip()

    def link(self, path, target):
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(self.at(target), place.parent))

    def state(self, **parts):
        told = {"version": 1, "timeout": 0, "modules": [], "cards": [], "devices": [], **parts}
        self.file("/etc/gpufleet/vgpu-host.json", json.dumps(told))

    # mdev's sysfs: the parent mtty and a Tesla P4
    def parent(self, name, kinds):
        self.file(f"/sys/devices/{name}/uevent")
        self.link(f"/sys/class/mdev_bus/{name}", f"/sys/devices/{name}")
        for identity, told in kinds.items():
            base = f"/sys/devices/{name}/mdev_supported_types/{identity}"
            self.file(f"{base}/name", f"{told}\n")
            self.file(f"{base}/create")

    def device(self, parent, kind, uuid):
        base = f"/sys/devices/{parent}/{uuid}"
        self.file(f"{base}/nvidia/vgpu_params", "\n")
        self.link(f"{base}/mdev_type", f"/sys/devices/{parent}/mdev_supported_types/{kind}")
        self.link(f"/sys/bus/mdev/devices/{uuid}", base)

    # the vendor-specific interface: a card with virtual functions
    def card(self, address=A16, functions=2, enabled=True):
        self.file(f"/sys/bus/pci/devices/{address}/sriov_numvfs", f"{functions if enabled else 0}\n")
        for number in range(functions if enabled else 0):
            self.function(address, number)

    def function(self, address, number, chosen=0):
        name = f"{address[:-1]}{4 + number}"
        self.link(f"/sys/bus/pci/devices/{address}/virtfn{number}", f"/sys/bus/pci/devices/{name}")
        self.file(f"/sys/bus/pci/devices/{name}/nvidia/current_vgpu_type", f"{chosen}\n")
        self.file(f"/sys/bus/pci/devices/{name}/nvidia/vgpu_params", "\n")
        return name

    def manage_stand_in(self, fails=0):
        """A stand-in for sriov-manage: it enables two functions, after failing as often as it is told to."""
        base = self.at(f"/sys/bus/pci/devices/{A16}")
        script = f"""#!/bin/sh
echo "$@" >> {self.root}/manage.log
[ "$(wc -l < {self.root}/manage.log)" -gt {fails} ] || {{ echo "Cannot obtain unbindLock" >&2; exit 1; }}
echo 2 > {base}/sriov_numvfs
for n in 0 1; do
  mkdir -p {base.parent}/{A16[:-1]}$((4 + n))/nvidia
  ln -s ../{A16[:-1]}$((4 + n)) {base}/virtfn$n
  echo 0 > {base.parent}/{A16[:-1]}$((4 + n))/nvidia/current_vgpu_type
  echo > {base.parent}/{A16[:-1]}$((4 + n))/nvidia/vgpu_params
done
"""
        self.file("/usr/lib/nvidia/sriov-manage", script, 0o755)
