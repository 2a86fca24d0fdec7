"""dnf, zypper and pacman: the exact commands, from the table."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem
from tests.unit.test_driver_packages import DEFAULTS

RPM = "kmod-nvidia-open-dkms\t580.95.05-1.el9\tdkms-nvidia-580.95.05-1.el9.src.rpm\n"
RPM_OLD = RPM.replace("580.95.05", "580.82.07")
BASH = "bash\t5.1.8-9.el9\tbash-5.1.8-9.el9.src.rpm\n"
HELD = {
    "dnf": "kmod-nvidia-open-dkms-3:580.95.05-1.el9.*\n",
    "zypper": "# | Name                  | Type    | Repository\n1 | kmod-nvidia-open-dkms | package | (any)\n",
}
KERNEL = "5.14.0-570.el9.x86_64"
BUILT = {f"/var/lib/dkms/nvidia/kernel-{KERNEL}-x86_64": f"580.95.05/{KERNEL}/x86_64"}
FILES = {f"/lib/modules/{KERNEL}/extra/nvidia.ko.xz": b"", f"/lib/modules/{KERNEL}/modules.dep": ""}


def host(manager, installed, held=False):
    query = ("pacman", "-Q") if manager == "pacman" else ("rpm",)
    listing = HELD.get(manager, "") if held else ""
    return FakeSystem(
        FILES, BUILT if "580.95.05" in installed else {}, {query: installed, (manager,): listing}, which=[manager]
    )


def want(manager, **options):
    return {**DEFAULTS, "manager": manager, "packages": ["kmod-nvidia-open-dkms"], "kernels": [KERNEL], **options}


DNF_INSTALL = ["dnf", "-y", "--setopt=install_weak_deps=False", "install"]
ZYPPER_INSTALL = ["zypper", "--non-interactive", "install", "--no-recommends", "--auto-agree-with-licenses"]


@pytest.mark.parametrize(
    ("manager", "installed", "held", "options", "commands"),
    [
        ("dnf", RPM + BASH, True, {}, []),
        ("dnf", RPM + BASH, False, {}, [["dnf", "-y", "versionlock", "add", "kmod-nvidia-open-dkms"]]),
        ("dnf", RPM + BASH, True, {"hold": False}, [["dnf", "-y", "versionlock", "delete", "kmod-nvidia-open-dkms"]]),
        ("dnf", BASH, False, {"hold": False}, [[*DNF_INSTALL, "kmod-nvidia-open-dkms"]]),
        (
            "dnf", BASH, False, {"version": "580.95.05", "header_packages": ["kernel-devel"], "hold": False},
            [[*DNF_INSTALL, "kmod-nvidia-open-dkms-580.95.05*", "kernel-devel"]],
        ),
        ("dnf", RPM, True, {"version": "580.95.05"}, []),
        ("dnf", RPM, False, {"state": "absent", "version": "1.2"}, [["dnf", "-y", "remove", "kmod-nvidia-open-dkms"]]),
        ("dnf", BASH, False, {"state": "absent"}, []),
        ("zypper", RPM, True, {}, []),
        ("zypper", RPM, False, {}, [["zypper", "--non-interactive", "addlock", "kmod-nvidia-open-dkms"]]),
        (
            "zypper", BASH, False, {"version": "580.95.05", "hold": False},
            [[*ZYPPER_INSTALL, "kmod-nvidia-open-dkms=580.95.05"]],
        ),
        (
            "zypper", RPM, True, {"state": "absent"},
            [["zypper", "--non-interactive", "removelock", "kmod-nvidia-open-dkms"],
             ["zypper", "--non-interactive", "remove", "--clean-deps", "kmod-nvidia-open-dkms"]],
        ),
        (
            "pacman", "bash 5.2-1\n", False, {"packages": ["nvidia-open-dkms"]},
            [["pacman", "-S", "--noconfirm", "--needed", "nvidia-open-dkms"]],
        ),
        ("pacman", "nvidia-utils 590.1-1\n", False, {"state": "absent", "packages": []},
         [["pacman", "-Rns", "--noconfirm", "nvidia-utils"]]),
    ],
)  # fmt: skip
def test_exact_commands(manager, installed, held, options, commands):
    system = host(manager, installed, held)
    predicted = _packages.ensure(want(manager, **options), system, apply=False)
    reads = (["rpm", "-qa"], ["pacman", "-Q"], ["dnf", "-q"], ["zypper", "--non-interactive", "locks"])
    assert not [argv for argv in system.ran if argv[:2] not in reads and argv[:3] not in reads]
    system.ran.clear()
    result = _packages.ensure(want(manager, **options), system, apply=True)
    ran = [argv for argv in system.ran if argv[:2] not in reads and argv[:3] not in reads]
    assert (ran, result["steps"], result["changed"]) == (commands, predicted["steps"], bool(commands))


def test_another_version_releases_the_lock_first():
    system = host("dnf", RPM_OLD, False)
    system.commands[("dnf", "-q")] = HELD["dnf"].replace("580.95.05", "580.82.07")
    steps = _packages.ensure(want("dnf", version="580.95.05"), system, apply=False)["steps"]
    assert steps[:3] == [
        "Release kmod-nvidia-open-dkms", "Install kmod-nvidia-open-dkms-580.95.05*", "Hold kmod-nvidia-open-dkms",
    ]  # fmt: skip


def test_pacman_has_one_version_only():
    with pytest.raises(NvidiaError, match=r"exact version 1\.2"):
        _packages.ensure(want("pacman", version="1.2"), host("pacman", ""), apply=False)


def test_a_failing_manager_is_quoted():
    system = host("dnf", BASH)
    system.commands[("dnf",)] = Result(1, "", "Error: Unable to find a match: kmod-nvidia-open-dkms")
    with pytest.raises(NvidiaError, match="Unable to find a match"):
        _packages.ensure(want("dnf"), system, apply=True)


def test_the_manager_is_the_one_that_is_there():
    assert _packages.find_manager(FakeSystem(which=["zypper"]), "auto") == "zypper"
    assert _packages.find_manager(FakeSystem(), "dnf") == "dnf"
    with pytest.raises(NvidiaError, match="No package manager"):
        _packages.find_manager(FakeSystem(), "auto")
