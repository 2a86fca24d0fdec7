"""The driver's packages on a host whose apt, dpkg and dkms are a small model of the real ones."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.driver_packages import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem
from tests.unit.test_driver import module_file

KERNEL = "6.1.0-50-amd64"
SOURCE = {"dkms": "dkms", "tiny": "tiny", "linux-headers-amd64": "linux", "nvtop": "nvtop", "zfs-dkms": "zfs"}
NEEDS = {"nvidia-kernel-dkms": ["libnvidia-ml1", "dkms", "tiny"], "libcuda1": ["libnvidia-ml1"]}
OURS = ("nvidia-kernel-dkms", "libnvidia-ml1", "libcuda1")
ARCHIVE = {
    **{name: ["535.261.03-1", "535.216.01-1"] for name in OURS},
    **{name: ["1-1"] for name in SOURCE},
}


class Debian(FakeSystem):
    """packages: {name: [version, hold]}; archive: {name: versions, newest first}; breaks: what fails to build."""

    def __init__(self, packages=(), archive=ARCHIVE, breaks=(), built=None, files=None, pending=()):
        super().__init__(
            {f"/lib/modules/{KERNEL}/modules.dep": "", f"/lib/modules/{KERNEL}/build/Makefile": "", **(files or {})},
            which=["apt-get"],
        )
        self.packages = {name: [version, False] for name, version in dict(packages).items()}
        self.archive, self.pending, self.breaks, self.updates = dict(archive), dict(pending), breaks, 0
        for name, (version, _held) in self.packages.items():
            self.unpack(name, version)
        if built:
            self.install_module(built)
        self.commands = {
            ("dpkg-query",): self.query, ("apt-get",): self.apt_get, ("apt-cache", "madison"): self.madison,
            ("apt-cache", "show"): self.show, ("apt-mark",): self.mark, ("dkms",): self.dkms, ("rm",): self.rm,
            ("debconf-set-selections",): "", ("mkdir",): "", ("env",): self.download, ("dpkg-deb",): self.extract,
        }  # fmt: skip

    def changes(self):
        """The commands that changed something."""
        reads = (["dpkg-query"], ["apt-cache"])
        return [a for a in self.ran if a[:1] not in reads and "-s" not in a and a[:2] != ["apt-mark", "showauto"]]

    def unpack(self, name, version):
        if name == "nvidia-kernel-dkms":
            for path in [p for p in self.files if p.startswith(("/usr/src/nvidia", "/var/lib/dkms/nvidia"))]:
                del self.files[path]
            self.links.clear()
            self.files[f"/usr/src/nvidia-current-{version.split('-')[0]}/dkms.conf"] = ""

    def purge(self, name):
        self.packages.pop(name)
        if name == "nvidia-kernel-dkms":
            self.files = {p: t for p, t in self.files.items() if not p.startswith(("/usr/src/nvidia", "/var/lib/dkms"))}
            self.links.clear()

    def install_module(self, version, kernel=KERNEL):
        self.files[f"/var/lib/dkms/nvidia-current/{version}/{kernel}/x"] = ""
        self.files[f"/lib/modules/{kernel}/updates/dkms/nvidia-current.ko"] = version
        self.links[f"/var/lib/dkms/nvidia-current/kernel-{kernel}-x86_64"] = f"{version}/{kernel}/x86_64"

    def query(self, _argv):
        rows = ["dpkg\tamd64\t1\tdpkg\tinstall\tinstalled"]
        for name, (version, held) in self.packages.items():
            source = SOURCE.get(name, "nvidia-graphics-drivers")
            rows.append(f"{name}\tamd64\t{version}\t{source}\t{'hold' if held else 'install'}\tinstalled")
        return "\n".join(rows) + "\n"

    def madison(self, argv):
        return "".join(f"{n} | {v} | archive\n" for n in argv[2:] for v in self.archive.get(n, []))

    def show(self, argv):
        names = [word.split("=")[0] for word in argv[2:]]
        return "".join(f"Package: {n}\nSource: {SOURCE.get(n, 'nvidia-graphics-drivers')}\n\n" for n in names)

    def mark(self, argv):
        for name in argv[2:] if argv[1] != "showauto" else []:
            self.packages[name][1] = argv[1] == "hold"
        return ""

    def dkms(self, argv):
        version, kernel = argv[argv.index("-v") + 1], argv[argv.index("-k") + 1] if "-k" in argv else None
        if argv[1] == "build":
            return Result(10 if version in self.breaks else 0, "", "Bad return status")
        if argv[1] == "install" and version in self.breaks:
            self.files[f"/var/lib/dkms/nvidia-current/{version}/build/make.log"] = "x.c:1: error: broken header\n"
            return Result(10, "", "Bad return status")
        if argv[1] == "install":
            self.install_module(version, kernel)
        return ""

    def rm(self, argv):
        self.files = {path: text for path, text in self.files.items() if not path.startswith(argv[-1] + "/")}
        return ""

    def download(self, argv):
        self.files[argv[1].split("=")[1] + "/x.deb"] = ""
        return ""

    def extract(self, argv):
        for version in self.breaks:
            self.files[f"{argv[-1]}/usr/src/nvidia-current-{version}/dkms.conf"] = ""
        return ""

    def apt_get(self, argv):
        if "update" in argv:
            self.archive.update(self.pending)
            self.updates += 1
            return ""
        if "autoremove" in argv:
            return ""
        text = self.files.get("/run/gpufleet-nvidia.pref", "")
        fit = re.search(r"\^\(\[0-9\]\+:\)\?(.*?)(?:\(-\|\$\))?/", text)
        start = fit.group(1).replace("\\", "") if fit else ""
        keep = dict(re.findall(r"Package: (\S+)\nPin: version (\d\S*)", text))
        verb = next(word for word in ("install", "purge") if word in argv)
        asked = [word for word in argv[argv.index(verb) + 1 :] if not word.startswith("--")]
        gone = [w for w in asked if verb == "purge" and not w.endswith("+")] + [
            w[:-1] for w in asked if w.endswith("-")
        ]
        come = [word for word in asked if verb == "install" and not word.endswith("-")]
        wants = {}
        for word in [*come, *(need for name in come for need in NEEDS.get(name.split("=")[0], []))]:
            name, _sign, version = word.partition("=")
            versions = self.archive.get(name, [])
            fitting = [v for v in versions if fit and v.startswith(start if start.endswith(".") else start + "-")]
            choice = version or keep.get(name) or (fitting or versions or [None])[0]
            if name not in come and name not in self.packages and not versions:
                continue
            if self.packages.get(name, [None])[0] != choice:
                wants[name] = choice
        lines = [f"Remv {name} [{self.packages[name][0]}]" for name in gone if name in self.packages]
        for name, version in wants.items():
            old = f" [{self.packages[name][0]}]" if name in self.packages else ""
            lines.append(f"Inst {name}{old} ({version} archive [amd64])")
        if "-s" not in argv:
            for name in [name for name in gone if name in self.packages]:
                self.purge(name)
            for name, version in wants.items():
                self.packages[name] = [version, False]
                self.unpack(name, version)
        return "\n".join(lines) + "\n"


DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
ASKED = ["nvidia-kernel-dkms", "libcuda1"]


def want(**options):
    return {**DEFAULTS, "packages": ASKED, "header_packages": ["linux-headers-amd64"], "kernels": [KERNEL], **options}


def installed(version="535.216.01-1", **options):
    host = Debian(
        {**dict.fromkeys(OURS, version), "dkms": "1-1", "tiny": "1-1", "linux-headers-amd64": "1-1"},
        built=version.split("-")[0],
        **options,
    )
    for name in OURS:
        host.packages[name][1] = True
    return host


def kinds(result):
    return [step.split()[0] for step in result["steps"]]


@pytest.mark.parametrize(
    ("host", "params", "steps", "version"),
    [
        (Debian, want(), ["Install", "Build", "Hold"], "535.261.03-1"),
        (Debian, want(version="535.216.01"), ["Install", "Build", "Hold"], "535.216.01-1"),
        (Debian, want(hold=False), ["Install", "Build"], "535.261.03-1"),
        (installed, want(), [], "535.216.01-1"),
        (installed, want(version="535.216.01"), [], "535.216.01-1"),
        (installed, want(version="535.261.03"), ["Move", "Build"], "535.261.03-1"),
        (lambda: installed("535.261.03-1"), want(version="535.216.01"), ["Move", "Build"], "535.216.01-1"),
        (installed, want(upgrade=True), ["Move", "Build"], "535.261.03-1"),
        (lambda: installed("535.261.03-1"), want(upgrade=True), [], "535.261.03-1"),
        (installed, want(hold=False), ["Release"], "535.216.01-1"),
    ],
)
def test_present(host, params, steps, version):
    machine = host()
    params = {**params, "refresh": "never"}
    predicted = _packages.ensure(params, machine, apply=False)
    assert (kinds(predicted), machine.changes()) == (steps, [])
    done = _packages.ensure(params, machine, apply=True)
    assert done["diff"] == predicted["diff"]
    assert done["packages"] == dict.fromkeys(sorted(OURS), version) == predicted["packages"]
    assert sorted(n for n in OURS if machine.packages[n][1]) == (sorted(OURS) if params["hold"] else [])
    again = _packages.ensure(params, machine, apply=True)
    assert (again["changed"], again["steps"], again["diff"]["before"]) == (False, [], again["diff"]["after"])


BRANCHES = {**ARCHIVE, **{name: ["550.163.01-2", "550.144.03-1", "535.261.03-1", "535.216.01-1"] for name in OURS}}


@pytest.mark.parametrize(
    ("host", "params", "steps", "version"),
    [
        (lambda: Debian(archive=BRANCHES), want(branch=535), ["Install", "Build", "Hold"], "535.261.03-1"),
        (lambda: Debian(archive=BRANCHES), want(), ["Install", "Build", "Hold"], "550.163.01-2"),
        (lambda: installed(archive=BRANCHES), want(branch=535), [], "535.216.01-1"),
        (lambda: installed("550.144.03-1", archive=BRANCHES), want(branch=550), [], "550.144.03-1"),
        (lambda: installed(archive=BRANCHES), want(branch=550), ["Move", "Build"], "550.163.01-2"),
        (lambda: installed("550.144.03-1", archive=BRANCHES), want(branch=535), ["Move", "Build"], "535.261.03-1"),
        (lambda: installed(archive=BRANCHES), want(branch=535, upgrade=True), ["Move", "Build"], "535.261.03-1"),
        (lambda: installed("535.261.03-1", archive=BRANCHES), want(branch=535, upgrade=True), [], "535.261.03-1"),
        (
            lambda: installed(archive=BRANCHES),
            want(branch=550, version="550.144.03"),
            ["Move", "Build"],
            "550.144.03-1",
        ),
    ],
)
def test_branches_with_packages_of_one_name_are_told_apart(host, params, steps, version):
    test_present(host, params, steps, version)


def test_a_branch_that_no_repository_has_is_named_before_anything_changes():
    machine = installed(archive=BRANCHES)
    with pytest.raises(NvidiaError, match="Driver branch 580 is in none of this host's repositories"):
        _packages.ensure(want(branch=580, refresh="never"), machine, apply=True)
    assert machine.changes() == []


class WithDkms(Debian):
    def which(self, name):
        return "/usr/sbin/dkms" if name == "dkms" else super().which(name)


def test_a_runfile_s_driver_is_not_removed_before_the_new_one_is_known_to_build():
    files = {"/usr/bin/nvidia-uninstall": ""}
    machine = WithDkms({"dkms": "1-1"}, breaks=("535.261.03",), files=files)
    with pytest.raises(NvidiaError, match="could not be built"):
        _packages.ensure(want(remove_runfile=True, refresh="never"), machine, apply=True)
    assert not any(argv[0] == "/usr/bin/nvidia-uninstall" for argv in machine.ran)
    assert "nvidia-kernel-dkms" not in machine.packages


def test_an_idle_run_is_one_command_and_asks_no_repository():
    host = installed()
    assert _packages.ensure(want(), host, apply=True)["changed"] is False
    assert [argv[0] for argv in host.ran] == ["dpkg-query"]


def test_a_missing_library_comes_in_the_version_that_fits():
    host = installed()
    del host.packages["libcuda1"]
    result = _packages.ensure(want(), host, apply=True)
    assert result["packages"] == dict.fromkeys(sorted(OURS), "535.216.01-1")
    assert host.packages["libcuda1"][1] is True


def test_modules_are_built_once_and_for_the_asked_kernels_alone():
    host = Debian(files={"/lib/modules/6.1.0-49-amd64/modules.dep": ""})
    result = _packages.ensure(want(), host, apply=True)
    assert [(entry["module"], entry["kernel"]) for entry in result["built"]] == [("nvidia-current", KERNEL)]
    assert [argv[-1] for argv in host.ran if argv[0] == "dkms"] == [KERNEL]
    assert host.wrote["/etc/dkms/no-autoinstall"]
    assert not host.exists("/etc/dkms/no-autoinstall")
    assert not host.exists("/run/gpufleet-nvidia.pref")


@pytest.mark.parametrize("headers", [True, False])
def test_another_kernel_that_had_modules_keeps_some_where_it_can(headers):
    host, other = installed(), "6.1.0-49-amd64"
    host.install_module("535.216.01", other)
    if headers:
        host.files[f"/lib/modules/{other}/build/Makefile"] = ""
    result = _packages.ensure(want(version="535.261.03", refresh="never"), host, apply=True)
    assert [entry["kernel"] for entry in result["built"]] == ([KERNEL, other] if headers else [KERNEL])


def test_a_kernel_that_lost_its_modules_gets_them_back():
    host = installed()
    del host.files[f"/lib/modules/{KERNEL}/updates/dkms/nvidia-current.ko"]
    result = _packages.ensure(want(), host, apply=True)
    assert result["steps"] == [f"Build the 535.216.01 kernel modules for {KERNEL}"]
    assert ["dkms", "install", "-m", "nvidia-current", "-v", "535.216.01", "-k", KERNEL, "--force"] in host.ran


def test_a_driver_that_dkms_has_lost_while_its_modules_are_there_is_registered_again():
    host = installed()
    host.files[f"/lib/modules/{KERNEL}/updates/dkms/nvidia-current.ko"] = module_file("535.216.01")
    for path in [path for path in host.files if path.startswith("/var/lib/dkms")]:
        del host.files[path]
    host.links.clear()
    host.commands[("cp",)] = lambda argv: host.files.update({argv[-1]: host.files[argv[-2]]}) or ""
    predicted = _packages.ensure(want(), host, apply=False)
    assert predicted["steps"] == [f"Build the 535.216.01 kernel modules for {KERNEL}"]
    assert _packages.ensure(want(), host, apply=True)["steps"] == predicted["steps"]
    assert ["dkms", "install", "-m", "nvidia-current", "-v", "535.216.01", "-k", KERNEL, "--force"] in host.ran
    assert not [path for path in host.files if "gpufleet-before" in path]
    assert not _packages.ensure(want(), host, apply=True)["changed"]


def test_a_failed_build_of_a_first_driver_leaves_the_host_bare():
    host = Debian(breaks=["535.261.03"])
    with pytest.raises(NvidiaError, match=r"(?s)broken header.*put back: purged again: dkms.*nvidia-kernel-dkms"):
        _packages.ensure(want(refresh="never"), host, apply=True)
    assert host.packages == {}


def test_a_failed_build_of_another_version_puts_the_old_driver_back():
    host = installed(breaks=["535.261.03"])
    with pytest.raises(NvidiaError, match=r"(?s)broken header.*back to nvidia-kernel-dkms 535.216.01-1.*rebuilt.*held"):
        _packages.ensure(want(version="535.261.03", refresh="never"), host, apply=True)
    assert {n: v for n, (v, _h) in host.packages.items() if n in OURS} == dict.fromkeys(OURS, "535.216.01-1")
    assert all(host.packages[name][1] for name in OURS)
    assert _packages.ensure(want(), host, apply=True)["changed"] is False


def test_where_there_is_no_way_back_the_build_is_tried_before():
    archive = {**ARCHIVE, **{name: ["535.261.03-1"] for name in OURS}}
    host = installed(breaks=["535.261.03"], archive=archive)
    with pytest.raises(
        NvidiaError, match=r"(?s)could not be built.*trial; the driver that is installed was not touched"
    ):
        _packages.ensure(want(upgrade=True, refresh="never"), host, apply=True)
    assert host.packages["nvidia-kernel-dkms"] == ["535.216.01-1", True]


@pytest.mark.parametrize(
    ("params", "part"),
    [
        (want(packages=["nvidia-nope"]), "No repository .* has nvidia-nope"),
        (want(version="999.1"), r"999\.1 is in none .*535\.216\.01, 535\.261\.03"),
        (want(kernels=["6.9.9"]), r"kernel 6\.9\.9: it is not installed .*6\.1\.0-50"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(params, part):
    host = Debian()
    with pytest.raises(NvidiaError, match=part):
        _packages.ensure(params, host, apply=True)
    assert host.packages == {}


def test_missing_headers_are_named():
    host = Debian()
    del host.files[f"/lib/modules/{KERNEL}/build/Makefile"]
    with pytest.raises(NvidiaError, match=f"headers of kernel {KERNEL} are missing .*linux-headers-{KERNEL}"):
        _packages.ensure(want(), host, apply=True)
    assert host.packages == {}


def test_the_index_is_refreshed_only_for_what_it_does_not_know():
    host = Debian(archive={name: ARCHIVE[name] for name in SOURCE}, pending=ARCHIVE)
    predicted = _packages.ensure(want(), host, apply=False)
    assert (
        predicted["steps"][0]
        == "Refresh the package index and install nvidia-kernel-dkms, libcuda1, linux-headers-amd64"
    )
    assert predicted["steps"][-1] == "Hold nvidia-kernel-dkms, libcuda1"
    assert (host.updates, predicted["refreshed"]) == (0, False)
    assert _packages.ensure(want(), host, apply=True)["refreshed"] is True
    assert _packages.ensure(want(), host, apply=True)["refreshed"] is False
    assert host.updates == 1


def test_without_a_refresh_check_mode_tells_the_truth_too():
    with pytest.raises(NvidiaError, match="No repository"):
        _packages.ensure(want(refresh="never"), Debian(archive={}), apply=False)


@pytest.mark.parametrize("program", ["/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer"])
def test_a_runfile_is_refused_or_removed_first(program):
    host = Debian(files={program: "#!"})
    with pytest.raises(NvidiaError, match=f"(?s){program} exists.*remove_runfile"):
        _packages.ensure(want(), host, apply=False)

    def uninstall(_argv):
        del host.files[program]
        return ""

    host.commands[(program,)] = uninstall
    result = _packages.ensure(want(remove_runfile=True), host, apply=True)
    assert kinds(result) == ["Remove", "Install", "Build", "Hold"]
    assert host.changes()[0][0] == program
    assert host.changes()[0][-1] == "--silent"


def test_the_other_flavour_of_the_same_version_is_built_anew():
    host = installed(archive={**ARCHIVE, "nvidia-open-kernel-dkms": ["535.216.01-1"]})
    params = want(packages=["nvidia-open-kernel-dkms", "libcuda1"], remove=["nvidia-kernel-dkms"])
    result = _packages.ensure(params, host, apply=False)
    assert result["steps"] == [
        "Install nvidia-open-kernel-dkms 535.216.01-1; remove nvidia-kernel-dkms",
        f"Build the 535.216.01 kernel modules for {KERNEL}",
        "Hold nvidia-open-kernel-dkms",
    ]


def test_absent_ignores_versions_and_holds_and_is_idle_afterwards():
    host = installed()
    params = want(state="absent", version="999.9")
    predicted = _packages.ensure(params, host, apply=False)
    assert (kinds(predicted), host.changes()) == (["Purge"], [])
    assert _packages.ensure(params, host, apply=True)["diff"] == predicted["diff"]
    assert sorted(host.packages) == ["dkms", "linux-headers-amd64", "tiny"]
    assert _packages.ensure(params, host, apply=True)["changed"] is False


def test_trees_that_were_left_are_removed():
    host = Debian(files={"/var/lib/dkms/nvidia/520.1/source/x": ""})
    result = _packages.ensure(want(state="absent"), host, apply=True)
    assert result["steps"] == ["Remove DKMS trees that were left: nvidia/520.1"]
    assert _packages.ensure(want(state="absent"), host, apply=True)["changed"] is False


@pytest.mark.parametrize(
    ("files", "params", "part"),
    [
        ({}, want(), None),
        ({"/sys/module/nvidia/version": "535.216.01\n"}, want(), None),
        (
            {"/sys/module/nvidia/version": "535.183.01\n"},
            want(),
            "loaded module is 535.183.01, the installed driver 535.216",
        ),
        ({"/sys/module/nouveau/refcnt": "1\n"}, want(), "nouveau is loaded"),
        ({"/sys/module/nvidia/version": "535.216.01\n"}, want(state="absent"), "still loaded"),
    ],
)
def test_hints_about_what_runs(files, params, part):
    hint = _packages.ensure(params, installed(files=files), apply=True)["reboot_hint"]
    assert (part is None and hint is None) or part in hint
