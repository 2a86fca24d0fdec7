"""A Debian host with things of every kind that a record is about, made of dictionaries."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _record, _records
from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import gather
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem

CONF = "/etc/modprobe.d/nvidia.conf"
PACKAGES = {
    ("dpkg", "amd64"): ("install ok installed", "1.21.22"),
    ("libnvidia-ml1", "amd64"): ("hold ok installed", "535.183.01-1"),
    ("libnvidia-ml1", "i386"): ("install ok installed", "535.183.01-1"),
    ("nvidia-smi", "amd64"): ("install ok installed", "535.183.01-1"),
    ("nvidia-kernel-support", "amd64"): ("deinstall ok config-files", "525.1"),
    ("firmware-nvidia", "all"): ("install ok triggers-awaited", "2025"),
}
UNITS = {
    "nvidia-persistenced.service": {"UnitFileState": "enabled", "ActiveState": "active"},
    "vllm@a.service": {"UnitFileState": "static", "ActiveState": "activating"},
}
MANAGED = {
    "files": [CONF, "/etc/cuda", "/usr/local/cuda", "/etc/absent.conf"],
    "packages": ["libnvidia-ml1", "libnvidia-ml1:i386", "nvidia-smi", "firmware-nvidia", "nvidia-kernel-support"],
    "units": ["nvidia-persistenced.service", "vllm@a.service", "absent.service"],
    "facts": ["kernel.running", "driver.loaded.version", "nouveau", "system.distribution"],
}
RUNS_ON = {"python": "3.12", "machine": "x86_64", "timeout": 5}


class RecordHost(FakeSystem):
    """A host whose packages, units and owners can be set."""

    def __init__(self):
        super().__init__(
            files={
                "/etc/os-release": "ID=debian\nVERSION_ID=12\n",
                "/run/systemd/system/x": "",
                "/etc/passwd": "root:x:0:0::/root:/bin/sh\nvllm:x:990:990::/:/bin/false\n",
                "/etc/group": "root:x:0:\nvllm:x:990:\n",
                "/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
                "/sys/module/nvidia/version": "535.183.01\n",
                CONF: "options nvidia NVreg_x=1\n",
                "/etc/cuda/here": "",
            },
            links={"/usr/local/cuda": "/usr/local/cuda-12.6"},
            commands={("systemctl", "show"): self._show},
        )
        self.packages = dict(PACKAGES)
        self.units = {name: dict(unit) for name, unit in UNITS.items()}
        self.owners: dict[str, tuple[int, int]] = {}

    def read(self, path):
        return self._status() if path == "/var/lib/dpkg/status" else super().read(path)

    def stat(self, path):
        found = super().stat(path)
        return found and (found[0], *self.owners.get(path, (0, 0)))

    def _status(self):
        rows = self.packages.items()
        return "\n".join(
            f"Package: {name}\nStatus: {status}\nArchitecture: {architecture}\nVersion: {version}\n"
            for (name, architecture), (status, version) in rows
        )

    def _show(self, argv):
        names, blocks = argv[argv.index("--") + 1 :], []
        for name in names:
            unit = self.units.get(name)
            load = "not-found" if unit is None else "loaded"
            shown = {"Id": name, "Names": name, "LoadState": load, "ActiveState": "inactive", **(unit or {})}
            blocks.append("".join(f"{key}={value}\n" for key, value in shown.items()))
        return Result(0, "\n".join(blocks), "")


def facts_of(system, subsets=("all",), user_id=0, folder=_records.FOLDER):
    """``ansible_facts['nvidia']`` of the host."""
    return gather(system, list(subsets), user_id=user_id, folder=folder, **RUNS_ON)


def probe(system, subsets, timeout):
    """What gathers the facts for the module, by root."""
    return {"ansible_facts": {"nvidia": facts_of(system, subsets)}}


def params(**changes):
    """What the module is given."""
    given = {"role": "nvidia_driver", "state": "present", "inputs": "aa", "collection": "0.1.0+bb", "timeout": 5}
    return {**given, "path": _records.FOLDER, **MANAGED, **changes}


def remember(system, apply=True, now=0.0, **changes):
    """The module's result."""
    return _record.ensure(params(**changes), system, apply=apply, probe=probe, clock=lambda: now)


def kept(system, role="nvidia_driver"):
    """The record as it lies there."""
    return json.loads(system.files[f"{_records.FOLDER}/{role}.json"])


def drift_of(system, role="nvidia_driver"):
    """What gpu_facts says has changed."""
    return facts_of(system, ["driver", "records"])["records"][role]["drift"]
