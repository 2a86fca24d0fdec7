"""What the module `preflight` finds out about transactions, on a host whose apt is a small model of the real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_index as index
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_packages as packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils._apt import Simulation
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem
from tests.unit.test_preflight import parameters

HEADERS = "linux-headers-6.1.0-56-amd64"
KERNEL = "6.1.0-56-amd64"
NEEDS = {
    "nvidia-kernel-dkms": ["nvidia-alternative"],
    "greedy": ["linux-image-6.1.0-99-amd64"],
    "toolkit": ["libcuda1"],
    "pushy": [],
}
CONFLICTS = {"pushy": ["nvtop"]}
ARCHIVE = {
    "nvidia-kernel-dkms": ["535.261.03-1"],
    "nvidia-alternative": ["535.261.03-1"],
    "libcuda1": ["535.261.03-1"],
    "linux-image-6.1.0-99-amd64": ["6.1.99-1"],
    "libnccl2": ["2.23.4-1+cuda12.6", "2.22.3-1+cuda12.5"],
    HEADERS: ["6.1.56-1"],
    **{name: ["1-1"] for name in ("greedy", "toolkit", "pushy")},
}
KINDS = ("6.1.0-9-amd64", "6.1.0-10-amd64", KERNEL, "amd64", "6.1.0-9-arm64", "6.12.1+deb12-amd64", "6.1.0-9-rt-amd64")
NAMES = "\n".join(f"linux-headers-{name}" for name in KINDS)


class Apt(FakeSystem):
    """installed: {name: version}; archive: {name: versions, newest first}; kernels: names in /lib/modules"""

    def __init__(self, installed=(), archive=ARCHIVE, kernels=(KERNEL,), has_index=True, age=60, files=None):
        super().__init__(files={f"/lib/modules/{name}/x": "" for name in kernels} | (files or {}), which=["apt-get"])
        self.installed, self.archive = dict(installed), dict(archive)
        self.files["/var/lib/apt/lists/lock"] = ""
        if has_index:
            self.files["/var/lib/apt/lists/deb_dists_x_binary-amd64_Packages"] = ""
        self.times["/var/lib/apt/lists"] = 100000 - age
        self.commands = {
            ("dpkg-query",): self.query,
            ("apt-get",): self.simulate,
            ("apt-cache", "madison"): lambda argv: "".join(
                f"{name} | {version} | x\n" for name in argv[2:] for version in self.archive.get(name, [])
            ),
            ("apt-cache", "pkgnames"): NAMES,
            ("apt-cache", "show"): lambda argv: "".join(
                f"Package: {word.split('=')[0]}\nInstalled-Size: 2048\nSize: 1048576\n\n" for word in argv[2:]
            ),
        }

    def query(self, _argv):
        rows = ["dpkg\tamd64\t1\tdpkg\tinstall\tinstalled"]
        driver = "nvidia-graphics-drivers"
        rows += [
            f"{name}\tamd64\t{version}\t{driver if version.startswith('535') else name}\tinstall\tinstalled"
            for name, version in self.installed.items()
        ]
        return "\n".join(rows) + "\n"

    def simulate(self, argv):
        assert "-s" in argv, "the check would have changed the host"
        words = [word for word in argv[argv.index("install") + 1 :] if not word.startswith("-")]
        lines = []
        for word in words:
            for name in [word.split("=")[0].rstrip("-"), *NEEDS.get(word.split("=")[0], [])]:
                if word.endswith("-"):
                    lines.append(f"Purg {name} [1]")
                    continue
                if name not in self.archive:
                    return Result(100, "", f"E: Unable to locate package {name}")
                version = word.partition("=")[2] or self.archive[name][0]
                old = f" [{self.installed[name]}]" if name in self.installed else ""
                if self.installed.get(name) != version:
                    lines.append(f"Inst {name}{old} ({version} x [amd64])")
                lines += [f"Remv {lost} [1]" for lost in CONFLICTS.get(name, []) if lost in self.installed]
        return "\n".join(lines) + "\n"


def check(system, limit=3600, **row):
    params = parameters(transactions=[{"name": "x", **row}], index_max_age=limit)
    findings, sizes = packages.check(system, params, packages.observe(system), now=lambda: 100000)
    return [(found["severity"], found["code"]) for found in findings], findings, sizes


def driver(**row):
    asked = row.pop("packages", ["nvidia-kernel-dkms"])
    return {"driver": True, "packages": asked, "header_packages": [HEADERS], "kernels": [KERNEL], **row}


def test_a_driver_that_can_be_had_is_no_finding_and_its_room_is_known():
    found, _texts, sizes = check(Apt(), **driver(version="535.261.03"))
    assert found == []
    assert sizes == {("x", "installed"): 6, ("x", "download"): 3}


def test_a_driver_that_is_there_asks_apt_nothing():
    system = Apt({"nvidia-kernel-dkms": "535.261.03-1", HEADERS: "1"})
    assert check(system, **driver(version="535.261.03"))[0] == []
    assert {tuple(argv[:1]) for argv in system.ran} == {("dpkg-query",)}


@pytest.mark.parametrize(
    ("row", "code", "word"),
    [
        (driver(version="535.999.99"), "version_unavailable", "535.261.03"),
        (driver(branch="590"), "version_unavailable", "590"),
        (driver(packages=["nvidia-kernel-dmks"]), "package_unknown", "nvidia-kernel-dmks"),
        (driver(header_packages=["linux-headers-6.1.0-1-amd64"]), "headers_unavailable", HEADERS),
        (driver(kernels=["5.10"]), "kernel_not_installed", KERNEL),
        (driver(packages=["greedy"]), "transaction_moves_kernel", "linux-image-6.1.0-99-amd64"),
        (driver(packages=["pushy"]), "transaction_removes", "nvtop"),
        ({"packages": ["toolkit"]}, "transaction_refused", "libcuda1"),
        ({"packages": ["greedy"]}, "transaction_moves_kernel", "linux-image-6.1.0-99-amd64"),
        ({"packages": ["libnccl2=9.9"]}, "version_unavailable", "2.23.4-1+cuda12.6"),
        ({"packages": ["libnccl9"]}, "package_unknown", "libnccl9"),
        ({"packages": ["pushy"]}, "transaction_refused", "nvtop"),
    ],
)
def test_what_would_stop_a_transaction_is_named(row, code, word):
    found, texts, _sizes = check(Apt({"nvtop": "1"}), **row)
    assert found == [("error", code)]
    assert word in texts[0]["text"]


def test_all_of_it_is_named_together():
    row = driver(
        packages=["nvidia-kernel-dkms", "gone"], header_packages=["linux-headers-9-amd64"], kernels=["9-amd64"]
    )
    found, _texts, _sizes = check(Apt(), **{**row, "version": "535.999.99"})
    assert sorted(found) == [
        ("error", "headers_unavailable"),
        ("error", "kernel_not_installed"),
        ("error", "package_unknown"),
        ("error", "version_unavailable"),
    ]


def test_a_transaction_is_simulated_without_the_names_that_nobody_has():
    found, _texts, _sizes = check(Apt({"nvtop": "1"}), packages=["libnccl9", "pushy"])
    assert found == [("error", "package_unknown"), ("error", "transaction_refused")]


def test_the_headers_that_are_offered_are_those_of_the_same_kind_the_same_series_first():
    names = [name.split("-", 2)[2] for name in index.offered_headers(Apt(), "linux-headers-6.1.0-1-amd64")]
    assert names == [KERNEL, "6.1.0-10-amd64", "6.1.0-9-amd64", "6.12.1+deb12-amd64"]
    assert index.offered_headers(Apt(), "linux-headers-6.1.0-1-rt-amd64") == ["linux-headers-6.1.0-9-rt-amd64"]


@given(st.text())
def test_the_kernel_of_any_name_is_numbers_and_a_kind(name):
    numbers, kind = index.kernel_of(name)
    assert all(isinstance(number, int) for number in numbers) and (kind or not name)


SOURCE = {"path": "/etc/apt/sources.list.d/x.sources", "content": "Types: deb\n"}


@pytest.mark.parametrize(
    ("host", "row", "reason"),
    [
        ({"has_index": False}, {}, "never fetched"),
        ({"age": 7200}, {}, "2 hours old"),
        ({}, {"sources": [SOURCE]}, "x.sources"),
        ({"files": {SOURCE["path"]: "other"}}, {"sources": [SOURCE]}, "x.sources"),
    ],
)
def test_what_an_index_lacks_that_will_be_refreshed_is_a_note(host, row, reason):
    for asked in (driver(packages=["gone"]), {"packages": ["gone"]}, driver(version="535.999.99")):
        found, texts, _sizes = check(Apt(**host), **asked, **row)
        assert [severity for severity, _code in found] == ["note"]
        assert found[0][1].endswith("_yet") and reason in texts[0]["text"]


def test_a_repository_that_is_there_makes_no_doubt():
    system = Apt(files={SOURCE["path"]: SOURCE["content"]})
    assert check(system, packages=["gone"], sources=[SOURCE])[0] == [("error", "package_unknown")]


def test_before_the_driver_s_own_transaction_only_the_kernel_counts():
    for name, expected in (("toolkit", []), ("pushy", []), ("greedy", [("error", "transaction_moves_kernel")])):
        assert check(Apt({"nvtop": "1"}), packages=[name], after_driver=True)[0] == expected


@pytest.mark.parametrize("is_driver", [True, False])
def test_apt_that_finds_no_way_says_why(is_driver):
    system = Apt()
    system.commands[("apt-get",)] = Result(100, "", "E: Unable to correct problems, you have held broken packages.")
    row = driver() if is_driver else {"packages": ["toolkit"]}
    found, texts, _sizes = check(system, **row)
    assert found == [("error", "transaction_impossible")]
    assert "held broken packages" in texts[0]["text"]


def test_a_driver_that_would_move_though_nobody_asked_is_named():
    system = Apt({"nvidia-kernel-dkms": "535.183.01-1"})
    system.commands[("apt-get",)] = "Inst nvidia-kernel-dkms [535.183.01-1] (535.261.03-1 x [amd64])\n"
    found, texts, _sizes = check(system, **driver(packages=["nvidia-kernel-dkms", "libcuda1"]))
    assert found == [("error", "transaction_moves_driver")]
    assert "nvidia-kernel-dkms" in texts[0]["text"]


def test_no_check_leaves_anything_behind():
    system = Apt({"nvidia-alternative": "535.261.03-1"})
    before = dict(system.files)
    check(system, **driver(version="535.261.03"))
    assert system.files == before
    assert set(system.wrote) <= {"/run/gpufleet-nvidia.pref"}


@given(st.text())
def test_sizes_of_any_text_are_numbers(text):
    assert all(isinstance(number, int) for pair in index.parse_sizes(text).values() for number in pair)


def test_what_moves_needs_the_room_of_the_largest_once():
    shown = "Package: a\nInstalled-Size: 4096\nSize: 100\n\nPackage: b\nInstalled-Size: 1024\nSize: 100\n"
    system = FakeSystem(commands={("apt-cache", "show"): shown})
    moving = Simulation({"a": ("1", "2"), "b": ("1", "2")}, {})
    assert index.room(system, moving) == {"installed": 4, "download": 1}
    assert index.room(system, Simulation({"a": (None, "2"), "b:amd64": (None, "2")}, {}))["installed"] == 5
    assert index.room(system, Simulation({}, {"a": "1"})) == {"installed": 0, "download": 0}
