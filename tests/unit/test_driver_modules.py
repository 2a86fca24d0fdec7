"""Modules are loaded, unloaded and reloaded without ending anybody's work."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._modules import (
    ensure,
    reason,
    to_unload,
    unit_of,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

HOLDERS = {
    "nvidia": ["nvidia_modeset", "nvidia_uvm"],
    "nvidia_modeset": ["nvidia_drm"],
    "nvidia_uvm": [],
    "nvidia_drm": [],
}
ALL = ["nvidia", "nvidia_uvm", "nvidia_modeset", "nvidia_drm"]


class Host(FakeSystem):
    """A host whose modules come and go by modprobe and rmmod, with the persistence daemon as a unit."""

    def __init__(self, loaded=None, version="535.216.03", daemon=False, job=False, foreign=(), modprobe=None):
        super().__init__(which=["modprobe", "rmmod", "systemctl"])
        self.daemon, self.version = daemon, version
        for name in ALL if loaded is None else loaded:
            self.load(name)
        for name in foreign:
            self.files[f"/sys/module/nvidia/holders/{name}/refcnt"] = "1"
        if daemon:
            self.process(812, "nvidia-persistenced\0--user\0nvpd\0", "/system.slice/nvidia-persistenced.service")
        if job:
            self.process(900, "python\0train.py\0", "/user.slice/user-1000.slice/session-3.scope")
        self.commands = {
            ("rmmod",): self.unload,
            ("modprobe",): (lambda argv: modprobe) if modprobe else (lambda argv: self.load(argv[1].replace("-", "_"))),
            ("systemctl",): self.systemctl,
        }

    def process(self, pid, command, cgroup):
        self.files[f"/proc/{pid}/cmdline"] = command
        self.files[f"/proc/{pid}/cgroup"] = f"0::{cgroup}\n"
        self.links[f"/proc/{pid}/fd/4"] = "/dev/nvidia0"
        self.links[f"/proc/{pid}/fd/5"] = "/dev/nvidiactl"
        self.links[f"/proc/{pid}/fd/6"] = "/dev/null"

    def load(self, name):
        self.files[f"/sys/module/{name}/refcnt"] = "0"
        if name == "nvidia":
            self.files["/sys/module/nvidia/version"] = self.version + "\n"
        for holder in HOLDERS[name]:
            if f"/sys/module/{holder}/refcnt" in self.files:
                self.files[f"/sys/module/{name}/holders/{holder}/x"] = ""
        for base, holders in HOLDERS.items():
            if name in holders and f"/sys/module/{base}/refcnt" in self.files:
                self.files[f"/sys/module/{base}/holders/{name}/x"] = ""
        return ""

    def unload(self, argv):
        for name in argv[1:]:
            self.files = {
                path: text
                for path, text in self.files.items()
                if not path.startswith(f"/sys/module/{name}/") and f"/holders/{name}/" not in path
            }
        return ""

    def systemctl(self, argv):
        if argv[1] == "stop":
            self.links = {path: link for path, link in self.links.items() if not path.startswith("/proc/812/")}
        return (
            "active\n" if argv[1] == "is-active" and self.daemon and argv[2] == "nvidia-persistenced" else "inactive\n"
        )


def want(state="loaded", modules=tuple(ALL), stop_units=(), version=None):
    return {"state": state, "modules": list(modules), "stop_units": list(stop_units), "version": version}


@pytest.mark.parametrize(
    ("host", "params", "steps"),
    [
        (lambda: Host([]), want(), ["Load nvidia", "Load nvidia_uvm", "Load nvidia_modeset", "Load nvidia_drm"]),
        (lambda: Host(["nvidia"]), want(modules=["nvidia", "nvidia_uvm"]), ["Load nvidia_uvm"]),
        (Host, want(), []),
        (lambda: Host([]), want("unloaded"), []),
        (Host, want("unloaded"), ["Unload nvidia_drm, nvidia_modeset, nvidia_uvm, nvidia"]),
        (Host, want("unloaded", ["nvidia_modeset"]), ["Unload nvidia_drm, nvidia_modeset"]),
        (lambda: Host([]), want("reloaded", ["nvidia"]), ["Load nvidia"]),
        (Host, want("reloaded", version="535.216.03"), []),
        (
            lambda: Host(["nvidia", "nvidia_uvm"], daemon=True),
            want("reloaded", ["nvidia"], ["nvidia-dcgm", "nvidia-persistenced"], "535.261.03"),
            ["Stop nvidia-persistenced", "Unload nvidia_uvm, nvidia", "Load nvidia", "Load nvidia_uvm",
             "Start nvidia-persistenced"],
        ),
        (
            lambda: Host(["nvidia"], daemon=True),
            want("unloaded", ["nvidia"], ["nvidia-persistenced.service", "nvidia-persistenced"]),
            ["Stop nvidia-persistenced", "Unload nvidia"],
        ),
    ],
)  # fmt: skip
def test_from_every_state_to_every_state(host, params, steps):
    machine = host()
    predicted = ensure(params, machine, apply=False)
    assert predicted["steps"] == steps
    assert not [argv for argv in machine.ran if argv[:2] != ["systemctl", "is-active"]]
    assert ensure(params, machine, apply=True)["diff"] == predicted["diff"]
    if params["state"] != "reloaded":
        assert ensure(params, machine, apply=True)["changed"] is False


def test_who_holds_the_modules_is_named():
    host = Host(daemon=True, job=True, foreign=["gdrdrv"])
    with pytest.raises(NvidiaError) as failure:
        ensure(want("unloaded", stop_units=["nvidia-persistenced"]), host, apply=True)
    assert "the module gdrdrv uses it" in str(failure.value)
    assert "process 900 (python train.py) has /dev/nvidia0, /dev/nvidiactl open" in str(failure.value)
    assert "812" not in str(failure.value)
    assert not [argv for argv in host.ran if argv[0] in ("rmmod", "modprobe") or argv[1] == "stop"]


def test_a_unit_that_nobody_named_is_not_stopped():
    with pytest.raises(NvidiaError, match=r"process 812 .* of nvidia-persistenced\.service"):
        ensure(want("unloaded"), Host(daemon=True), apply=False)


def test_stopped_units_run_again_when_something_fails():
    host = Host(daemon=True, modprobe=Result(1, "", "modprobe: ERROR: could not insert 'nvidia': No such device"))
    with pytest.raises(NvidiaError, match=r"(?s)could not be loaded.*no card.*Started again: nvidia-persistenced"):
        ensure(want("reloaded", stop_units=["nvidia-persistenced"]), host, apply=True)
    assert host.ran[-1] == ["systemctl", "start", "nvidia-persistenced"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("could not insert 'nvidia': Key was rejected by service", "Secure Boot"),
        ("could not insert 'nvidia': Required key not available", "Secure Boot"),
        ("could not insert 'nvidia': No such device", "Above 4G"),
        ("FATAL: Module nvidia not found in directory /lib/modules/6.1", "build it for this kernel"),
        ("Exec format error", "another kernel"),
        ("something else", "kernel log"),
    ],
)
def test_modprobes_messages_are_explained(text, part):
    assert part in reason(text)


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/nvidia-persistenced.service\n", "nvidia-persistenced.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n", "user@1000.service"),
        ("0::/user.slice/session-3.scope\n", None),
        ("", None),
    ],
)
def test_units_of_processes(cgroup, unit):
    assert unit_of(cgroup) == unit


def test_users_go_before_what_they_use():
    assert to_unload(HOLDERS, ["nvidia"]) == ["nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia"]


def test_a_foreign_module_is_refused():
    with pytest.raises(NvidiaError, match="nouveau is not one of"):
        ensure(want(modules=["nouveau"]), Host(), apply=True)
