"""Packages beside the driver on a host whose apt and dpkg are a small model of the real ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg, _guarded_packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.guarded_packages import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem

DRIVER = "nvidia-graphics-drivers-580"
SOURCE = {"libnvidia-compute-580": DRIVER, "cuda-compat-13-0": DRIVER, "linux-image-6.1.0-50-amd64": "linux"}
NEEDS = {
    "cuda-toolkit-12-6": ["cuda-nvcc-12-6"],
    "cuda-12-6": ["cuda-toolkit-12-6", "cuda-nvcc-12-6", "libnvidia-compute-580"],
    "strange-headers": ["linux-image-6.1.0-50-amd64"],
}
CONFLICTS = {"nvidia-cuda-toolkit": ["nvidia-linux-grid-535"], "pushy": ["nvtop"]}
ARCHIVE = {
    "cuda-toolkit-12-6": ["12.6.3-1", "12.6.2-1"],
    "cuda-nvcc-12-6": ["12.6.85-1"],
    "cuda-12-6": ["12.6.3-1"],
    "libnvidia-compute-580": ["580.99.01-1"],
    "libnccl2": ["2.23.4-1+cuda12.6", "2.22.3-1+cuda12.5"],
    "cuda-compat-13-0": ["580.95.05-1"],
    **{name: ["1-1"] for name in ("nvidia-cuda-toolkit", "strange-headers", "pushy", "linux-image-6.1.0-50-amd64")},
}


class Host(FakeSystem):
    """packages: {name: (version, held)}; archive: {name: versions, newest first}; broken: apt fails half way."""

    def __init__(self, packages=(), archive=ARCHIVE, coming=(), broken=False, status=()):
        super().__init__(which=["apt-get"])
        self.packages = {name: list(value) for name, value in dict(packages).items()}
        self.archive, self.coming, self.broken = dict(archive), dict(coming), broken
        self.updates, self.status = 0, dict(status)
        self.commands = {
            ("dpkg-query",): self.query, ("apt-get",): self.apt_get, ("apt-mark",): self.mark,
            ("dpkg",): self.configure, ("apt-cache", "madison"): self.madison,
            ("apt-cache", "show"): self.show,
        }  # fmt: skip

    def query(self, _argv):
        rows = ["dpkg\tamd64\t1\tdpkg\tinstall\tinstalled"]
        rows += [
            f"{n}\tamd64\t{version}\t{SOURCE.get(n, n)}\t{'hold' if held else 'install'}"
            f"\t{self.status.get(n, 'installed')}"
            for n, (version, held) in self.packages.items()
        ]
        return "\n".join(rows) + "\n"

    def madison(self, argv):
        return "".join(f"{n} | {v} | archive\n" for n in argv[2:] for v in self.archive.get(n, []))

    def show(self, argv):
        return "".join(f"Package: {n}\nSource: {SOURCE.get(n, n)}\n\n" for n in (w.split("=")[0] for w in argv[2:]))

    def mark(self, argv):
        for name in argv[2:]:
            self.packages[name][1] = argv[1] == "hold"
        return ""

    def configure(self, _argv):
        self.status.clear()
        return ""

    def apt_get(self, argv):
        if "update" in argv:
            self.archive.update(self.coming)
            self.updates += 1
            return ""
        if "autoremove" in argv:
            return ""
        verb = next(word for word in ("install", "purge") if word in argv)
        words = [w for w in argv[argv.index(verb) + 1 :] if not w.startswith("-")]
        lines, come = [], {}
        gone = {w for w in words if verb == "purge"} | {w[:-1] for w in words if w.endswith("-")}
        if verb == "purge":
            gone |= {need for name in gone for need in NEEDS.get(name, [])}
            gone -= {w[:-1] for w in words if w.endswith("+")} | {w for w in gone if w.endswith("+")}
        else:
            asked = [w for w in words if not w.endswith("-")]
            for word in [*asked, *(need for w in asked for need in NEEDS.get(w.split("=")[0], []))]:
                name, _sign, version = word.partition("=")
                gone |= {n for n in CONFLICTS.get(name, []) if n in self.packages}
                if word in asked or name not in self.packages:
                    come[name] = version or self.archive[name][0]
        gone &= {*self.packages}
        lines += [f"Remv {name} [{self.packages[name][0]}]" for name in sorted(gone)]
        for name, version in come.items():
            old = f" [{self.packages[name][0]}]" if name in self.packages else ""
            lines.append(f"Inst {name}{old} ({version} archive [amd64])")
        if "-s" not in argv:
            for name in gone:
                self.packages.pop(name)
            for name, version in come.items():
                self.packages[name] = [version, False]
            if self.broken:
                self.broken = False
                return Result(100, "", "dpkg: error processing package cuda-nvcc-12-6: no space left on device")
        return "\n".join(lines) + "\n"

    def changes(self):
        return [argv for argv in self.ran if argv[0] in ("apt-get", "apt-mark", "dpkg") and "-s" not in argv]


DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
GRID = {"nvidia-linux-grid-535": ("535.161.08", False)}
HELD_TOOLKIT = {"cuda-toolkit-12-6": ("12.6.2-1", True), "cuda-nvcc-12-6": ("12.6.85-1", False)}


def want(*packages, **options):
    return {**DEFAULTS, "packages": list(packages), **options}


@pytest.mark.parametrize(
    ("packages", "params", "steps", "after"),
    [
        ({}, want("cuda-toolkit-12-6"), ["Install"], {"cuda-toolkit-12-6": "12.6.3-1", "cuda-nvcc-12-6": "12.6.85-1"}),
        ({}, want("cuda-toolkit-12-6", hold=True, hold_also=["*-12-6"]), ["Install", "Hold"], {}),
        (
            {},
            want("libnccl2", companions=["cuda-nvcc-12-6"], hold=True),
            ["Install", "Hold"],
            {"cuda-nvcc-12-6": "12.6.85-1"},
        ),
        ({}, want("libnccl2=2.22.3-1+cuda12.5"), ["Install"], {"libnccl2": "2.22.3-1+cuda12.5"}),
        ({}, want("cuda-toolkit-12-6=12.6.2"), ["Install"], {"cuda-toolkit-12-6": "12.6.2-1"}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6"), [], {"cuda-toolkit-12-6": "12.6.2-1"}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6", hold=False), ["Release"], {}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6", hold=True), [], {}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6", upgrade=True), ["Move"], {"cuda-toolkit-12-6": "12.6.3-1"}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6=12.6.3-1", hold=True), ["Move"], {}),
        (HELD_TOOLKIT, want("cuda-toolkit-12-6", state="absent"), ["Purge"], {}),
        (HELD_TOOLKIT, want("*-12-6", state="absent"), ["Purge"], {}),
        ({}, want("cuda-toolkit-12-6", state="absent"), [], {}),
        ({}, want("cuda-compat-13-0"), ["Install"], {"cuda-compat-13-0": "580.95.05-1"}),
    ],
)
def test_what_is_predicted_is_what_is_done_and_a_second_run_is_idle(packages, params, steps, after):
    host = Host(packages)
    params = {**params, "refresh": "never"}
    predicted = _guarded_packages.ensure(params, host, apply=False)
    assert ([step.split()[0] for step in predicted["steps"]], host.changes()) == (steps, [])
    done = _guarded_packages.ensure(params, host, apply=True)
    assert done["diff"] == predicted["diff"]
    assert done["packages"] == predicted["packages"]
    assert after.items() <= done["packages"].items()
    assert sorted(n for n, (_v, held) in host.packages.items() if held) == done["diff"]["after"]["held"]
    again = _guarded_packages.ensure({**params, "upgrade": False}, host, apply=True)
    assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])


def test_an_idle_run_is_one_command():
    host = Host(HELD_TOOLKIT)
    assert not _guarded_packages.ensure(want("cuda-toolkit-12-6", hold=True), host, apply=True)["changed"]
    assert host.ran == [_dpkg.QUERY]


@pytest.mark.parametrize(
    ("packages", "asked", "words"),
    [
        (GRID, "nvidia-cuda-toolkit", ["remove nvidia-linux-grid-535", "runfile"]),
        ({}, "cuda-12-6", ["install libnvidia-compute-580 580.99.01-1", "nvidia_driver"]),
        ({}, "strange-headers", ["kernel", "linux-image-6.1.0-50-amd64"]),
        ({"nvtop": ("1-1", True)}, "pushy", ["somebody holds: nvtop", "apt-mark unhold"]),
        ({"nvtop": ("1-1", False)}, "pushy", ["remove nvtop", "nobody asked"]),
        ({}, "cuda-toolkit-99-9", ["cuda-toolkit-99-9", "No repository"]),
        ({}, "libnccl2=9.9.9", ["libnccl2 9.9.9", "they offer 2.23.4-1+cuda12.6, 2.22.3-1+cuda12.5"]),
    ],
)
@pytest.mark.parametrize("apply", [True, False])
def test_what_must_not_be_is_refused_before_anything_changes(packages, asked, words, apply):
    host = Host(packages)
    with pytest.raises(NvidiaError) as failure:
        _guarded_packages.ensure(want(asked, refresh="never"), host, apply=apply)
    assert all(word in str(failure.value) for word in words), str(failure.value)
    assert host.changes() == []


def test_libraries_of_the_driver_may_come_where_there_is_no_driver_and_somebody_said_so():
    params = want("cuda-12-6", driver_libraries_ok=True)
    assert "libnvidia-compute-580" in _guarded_packages.ensure(params, Host(), apply=True)["packages"]
    with pytest.raises(NvidiaError, match="install libnvidia-compute-580"):
        _guarded_packages.ensure(params, Host(GRID), apply=True)


def test_the_driver_is_pinned_while_apt_works_and_the_pin_is_gone_afterwards():
    pins = []

    class Watching(Host):
        def apt_get(self, argv):
            pins.append((self.read(_apt.PREFERENCES), f"Dir::Etc::Preferences={_apt.PREFERENCES}" in argv))
            return super().apt_get(argv)

    host = Watching({"libnvidia-compute-580": ("580.95.05-1", True)})
    _guarded_packages.ensure(want("cuda-toolkit-12-6"), host, apply=True)
    assert len(pins) == 2
    assert all("Package: libnvidia-compute-580\nPin: version 580.95.05-1" in text and used for text, used in pins)
    assert not host.exists(_apt.PREFERENCES)


def test_libraries_of_the_driver_that_came_with_a_package_stay_when_it_goes():
    host = Host({"cuda-12-6": ("12.6.3-1", True), "libnvidia-compute-580": ("580.99.01-1", False)})
    _guarded_packages.ensure(want("cuda-12-6", state="absent"), host, apply=True)
    assert sorted(host.packages) == ["libnvidia-compute-580"]


def test_a_driver_package_is_not_removed_by_name():
    with pytest.raises(NvidiaError, match="removes neither"):
        _guarded_packages.ensure(want("nvidia-linux-grid-535", state="absent"), Host(GRID), apply=True)


def test_an_unknown_package_is_looked_for_in_a_fresh_index():
    coming = {"cuda-toolkit-13-0": ["13.0.2-1"]}
    params = want("cuda-toolkit-13-0", repository_changed=True)
    host = Host(coming=coming)
    foretold = _guarded_packages.ensure(params, host, apply=False)
    assert (foretold["packages"], host.updates) == ({"cuda-toolkit-13-0": "newest"}, 0)
    done = _guarded_packages.ensure(params, host, apply=True)
    assert (done["packages"], done["refreshed"], host.updates) == ({"cuda-toolkit-13-0": "13.0.2-1"}, True, 1)


def test_a_failed_transaction_puts_the_packages_back():
    host = Host(HELD_TOOLKIT, broken=True)
    with pytest.raises(NvidiaError, match="no space left") as failure:
        _guarded_packages.ensure(want("cuda-toolkit-12-6", "libnccl2", upgrade=True), host, apply=True)
    assert "purged again: libnccl2" in str(failure.value)
    assert {n: tuple(v) for n, v in host.packages.items()} == HELD_TOOLKIT


def test_an_interrupted_installation_is_finished():
    host = Host(HELD_TOOLKIT, status={"cuda-toolkit-12-6": "half-configured"})
    result = _guarded_packages.ensure(want("cuda-toolkit-12-6", refresh="never"), host, apply=True)
    assert result["steps"][0] == "Finish the interrupted installation of cuda-toolkit-12-6"
    assert ["dpkg", "--force-confold", "--configure", "-a"] in host.ran


@pytest.mark.parametrize(
    ("name", "source", "what"),
    [
        ("libnvidia-ml-dev", "nvidia-cuda-toolkit", None),
        ("cuda-compat-13-0", "nvidia-graphics-drivers-580", None),
        ("libcuda1", "nvidia-graphics-drivers", "driver"),
        ("nvidia-linux-grid-535", "nvidia-linux-grid-535", "driver"),
        ("linux-image-amd64", "linux-signed-amd64", "kernel"),
        ("libnccl2", "nccl", None),
    ],
)
def test_what_is_guarded(name, source, what):
    assert guard.guarded(name, source) == what


@given(
    st.dictionaries(
        st.sampled_from(["nvtop", "libnvidia-compute-580", "nvidia-linux-grid-535", "linux-image-6.1.0-50-amd64"]),
        st.tuples(st.sampled_from([None, "1-1"]), st.sampled_from(["1-1", "2-1"])),
    ),
    st.sets(st.sampled_from(["nvtop", "libnvidia-compute-580", "nvidia-linux-grid-535"])),
)
def test_no_transaction_that_touches_the_driver_is_ever_let_through(installs, removes):
    touched = {n for n, (old, new) in installs.items() if old != new} | removes
    sentences = guard.refusals(_apt.Simulation(installs, dict.fromkeys(removes, "1-1")), {}, SOURCE, ["nvtop"])
    assert bool(sentences) == bool(touched - {"nvtop"})
