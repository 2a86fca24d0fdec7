"""The module `preflight`: everything at once, in an order that does not depend on what is found."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight as preflight
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.preflight import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem

DPKG = "dpkg\tamd64\t1.21\tdpkg\tinstall\tinstalled\n"
DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda2 1000 0 {free} 1% {mount}\n"


def parameters(**given):
    """A module's parameters, with the defaults that its specification gives, also for the rows of lists."""

    def filled(spec, values):
        return {name: values.get(name, option.get("default")) for name, option in spec.items()}

    params = filled(ARGUMENT_SPEC, given)
    for name in ("transactions", "space"):
        params[name] = [filled(ARGUMENT_SPEC[name]["options"], row) for row in params[name]]
    return params


def host(**more):
    """A Debian host on which all is well."""
    commands = {
        ("dpkg-query",): DPKG,
        ("df",): lambda argv: DF.format(free=90 * 1024 * 1024, mount="/"),
        ("apt-get",): "",
    }
    return FakeSystem(
        files={"/var/lib/apt/lists/x_Packages": "", **more.pop("files", {})},
        commands={**commands, **more.pop("commands", {})},
        **more,
    )


def codes(result):
    return [row["code"] for row in result["findings"]]


def run(system, **given):
    return preflight.ensure(parameters(**given), system, apply=True)


def test_a_host_on_which_all_is_well_has_no_findings_and_is_left_alone():
    system = host(files={"/var": "", "/sys/kernel/iommu_groups/0/devices": ""})
    result = run(system, space=[{"path": "/var", "mib": 10, "reason": "x"}], holders="error", iommu=True)
    assert (result["changed"], result["findings"]) == (False, [])
    assert (system.wrote, system.removed) == ({}, [])


def everything():
    """A host with one blocker for each check."""
    return host(
        files={
            "/boot/x": "",
            "/proc/locks": "1: POSIX  ADVISORY  WRITE 77 fe:00:1 0 EOF\n",
            "/proc/77/cmdline": "/usr/bin/python3\0/usr/bin/unattended-upgrade\0",
            "/proc/88/comm": "vllm\n",
            "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
            "/proc/cmdline": "root=/dev/sda2 ro quiet",
        },
        links={"/proc/77/fd/3": "/var/lib/dpkg/lock-frontend", "/proc/88/fd/5": "/dev/nvidia0"},
        commands={
            ("df",): lambda argv: DF.format(free=9 * 1024, mount="/boot"),
            ("apt-cache", "madison"): "",
            ("timedatectl",): "NTPSynchronized=no\n",
        },
        times={"/var/lib/apt/lists": 9e12},
    )


def test_one_report_names_every_blocker_the_grave_ones_first():
    result = run(
        everything(),
        transactions=[{"name": "nccl", "packages": ["libnccl9"]}],
        space=[{"path": "/boot", "mib": 10, "reason": "a new initramfs"}],
        holders="error",
        iommu=True,
        clock=True,
        signing=True,
    )
    assert codes(result) == [
        "clock_unsynchronised",
        "gpu_held",
        "iommu_off",
        "package_unknown",
        "space_short",
        "package_manager_locked",
        "signing_key_missing",
    ]
    assert {"severity", "code", "text", "source"} == set(result["findings"][0])


def test_check_mode_finds_the_same_and_neither_writes():
    params = parameters(holders="error", iommu=True)
    results = [preflight.ensure(params, everything(), apply=apply) for apply in (True, False)]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "option",
    [
        {"holders": "error"},
        {"iommu": True},
        {"clock": True},
        {"signing": True},
        {"lock": True},
        {"space": [{"path": "/boot", "mib": 10, "reason": "x"}]},
        {"transactions": [{"name": "nccl", "packages": ["libnccl9"]}]},
    ],
    ids=lambda option: next(iter(option)),
)
def test_what_is_not_asked_for_is_not_looked_at(option):
    nothing = {"lock": False}
    assert codes(run(everything(), **nothing)) == []
    assert len(codes(run(everything(), **{**nothing, **option}))) == 1


def test_a_check_that_cannot_look_keeps_no_other_from_looking():
    def hangs(argv):
        raise CommandTimeout(argv, 30)

    system = everything()
    system.commands[("df",)] = hangs
    result = run(system, space=[{"path": "/boot", "mib": 10, "reason": "x"}], iommu=True, lock=False)
    assert codes(result) == ["iommu_off", "check_failed"]
    assert "df -kP" in result["findings"][1]["text"]


def test_a_broken_package_database_is_a_finding():
    system = host(commands={("dpkg-query",): Result(2, "", "error: parsing file")})
    assert codes(run(system, transactions=[{"name": "x", "packages": ["y"]}])) == ["packages_unreadable"]


@pytest.mark.parametrize("program", ["dnf", "zypper", "pacman"])
def test_other_package_managers_are_not_asked_what_they_would_do_and_that_is_told(program):
    system = FakeSystem(which=[program])
    result = run(system, transactions=[{"name": "cuda", "packages": ["x"]}])
    assert codes(result) == ["transaction_unchecked"]
    assert system.ran == []


def test_without_any_package_manager_the_rest_is_looked_at():
    assert codes(run(FakeSystem(files={"/proc/cmdline": ""}), iommu=True)) == ["iommu_off", "check_failed"]
