"""Packages beside the driver with dnf, zypper and pacman, whose dry runs are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_other as other
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.guarded_packages import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem

DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
RPMS = "nvidia-driver-cuda\t580.95.05-1.el9\tnvidia-driver-580.95.05-1.el9.src.rpm\n"

DNF = """\
Dependencies resolved.
================================================================================
 Package                  Architecture  Version            Repository       Size
================================================================================
Installing:
 {name}        x86_64        12.6.3-1           nvidia-cuda     8.9 k
Installing dependencies:
 {need}         x86_64        3:580.95.05-1      nvidia-cuda      66 M

Transaction Summary
================================================================================
Install  2 Packages
"""
ZYPPER = """\
Loading repository data...
The following 2 NEW packages are going to be installed:
  {name} {need}

2 new packages to install.
"""
PACMAN = "{name} 12.6.3-1\n{need} 580.95.05-1\n"


def machine(manager, name, need):
    text = {"dnf": DNF, "zypper": ZYPPER, "pacman": PACMAN}[manager].format(name=name, need=need)
    aborted = Result(1, text, "Operation aborted.") if manager == "dnf" else Result(0, text, "")
    installed = "nvidia-open 580.95.05-1\n" if manager == "pacman" else RPMS
    query = ("pacman", "-Q") if manager == "pacman" else ("rpm",)
    install = {"dnf": ("dnf", "-y"), "zypper": ("zypper",), "pacman": ("pacman", "-S")}[manager]
    commands = {query: installed, install: ""}
    dry = {
        "dnf": ("dnf", "--assumeno"),
        "zypper": ("zypper", "--non-interactive", "install", "--dry-run"),
        "pacman": ("pacman", "-S", "--noconfirm", "--needed", name, "--print"),
    }[manager]
    return FakeSystem(commands={**commands, dry: aborted}), dry


@pytest.mark.parametrize("manager", ["dnf", "zypper", "pacman"])
@pytest.mark.parametrize("apply", [True, False])
def test_a_package_that_brings_a_driver_is_refused(manager, apply):
    need = "nvidia-open-dkms" if manager == "pacman" else "nvidia-driver-cuda"
    host, _dry = machine(manager, "cuda-12-6", need)
    with pytest.raises(NvidiaError, match=f"would touch the NVIDIA driver or the kernel: {need}"):
        _guarded_packages.ensure({**DEFAULTS, "packages": ["cuda-12-6"], "manager": manager}, host, apply=apply)


@pytest.mark.parametrize("manager", ["dnf", "zypper", "pacman"])
def test_a_toolkit_is_installed_after_it_was_asked_what_that_means(manager):
    host, dry = machine(manager, "cuda-toolkit-12-6", "cuda-nvcc-12-6")
    result = _guarded_packages.ensure(
        {**DEFAULTS, "packages": ["cuda-toolkit-12-6"], "manager": manager}, host, apply=True
    )
    assert result["steps"] == ["Install cuda-toolkit-12-6"]
    asked = [number for number, argv in enumerate(host.ran) if tuple(argv[: len(dry)]) == dry]
    assert asked and asked[0] < len(host.ran) - 1, "the dry run comes before the real one"


def test_what_is_there_is_left_alone():
    rows = "cuda-toolkit-12-6\t12.6.3-1\tcuda-toolkit-12-6-12.6.3-1.src.rpm\n"
    locks = "cuda-toolkit-12-6-0:12.6.3-1.*\n"
    host = FakeSystem(commands={("rpm",): rows, ("dnf", "-q"): locks, ("dnf", "--assumeno"): "Operation aborted."})
    params = {**DEFAULTS, "packages": ["cuda-toolkit-12-6=12.6.3"], "manager": "dnf", "hold": True}
    assert not _guarded_packages.ensure(params, host, apply=True)["changed"]
    gone = _guarded_packages.ensure({**params, "packages": ["cuda-*"], "state": "absent"}, host, apply=False)
    assert gone["diff"]["after"] == {"packages": {}}


@given(st.text(), st.sampled_from(["dnf", "zypper", "pacman"]))
def test_any_text_is_read_without_falling(text, manager):
    names = other.parse_dry(manager, text)
    assert all(name in text for name in names)
