"""A package from a file, on a host whose apt, dpkg and dnf are a small model of the real ones."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _package_file
from ansible_collections.gpufleet.nvidia.plugins.module_utils._package_file_rpm import parse_removed
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.package_file import ARGUMENT_SPEC, fetch
from tests.unit.fake_system import FakeSystem

DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
NAME, OLD, NEW = "nvidia-linux-grid-535", "535.216.01", "535.261.03"
FILE = f"/srv/{NAME}_{NEW}_amd64.deb"
KEPT = f"{_package_file.FOLDER}/{NAME}_{OLD}_amd64.deb"
CONTENT = "!<arch> a package"
SHA = hashlib.sha256(CONTENT.encode()).hexdigest()


class Host(FakeSystem):
    """packages: {name: (version, held)}; needs: what the file brings; conflicts: what it removes; broken: apt fails."""

    def __init__(self, packages=(), needs=("dkms",), conflicts=(), broken=False, stale=False, told=None, files=None):
        super().__init__(files={FILE: CONTENT, **(files or {})}, which=["apt-get"])
        self.packages = {name: list(row) for name, row in dict(packages).items()}
        self.needs, self.conflicts, self.broken, self.stale = list(needs), list(conflicts), broken, stale
        self.told = told or f"{NAME}\n{NEW}\namd64\n"
        self.commands = {
            ("dpkg-query",): self.query, ("apt-get",): self.apt_get, ("apt-mark", "hold"): self.hold,
            ("dpkg", "--print-architecture"): "amd64\n", ("dpkg-deb",): lambda _argv: self.told,
            ("sha256sum",): self.sum, ("apt-cache", "show"): "", ("apt-cache", "madison"): "",
            ("mkdir",): "", ("mv",): self.move,
        }  # fmt: skip

    def sum(self, argv):
        return f"{hashlib.sha256(self.read_bytes(argv[1])).hexdigest()}  {argv[1]}\n"

    def move(self, argv):
        self.files[argv[3]] = self.files.pop(argv[2])
        return ""

    def query(self, _argv):
        rows = ["dpkg\tamd64\t1\tdpkg\tinstall\tinstalled"]
        rows += [
            f"{n}\tamd64\t{v}\t{n}\t{'hold' if h else 'install'}\tinstalled" for n, (v, h) in self.packages.items()
        ]
        return "\n".join(rows) + "\n"

    def hold(self, argv):
        self.packages[argv[2]][1] = True
        return ""

    def apt_get(self, argv):
        if "update" in argv:
            self.stale = False
            return ""
        dry = "-s" in argv
        if "purge" in argv:
            gone = [name for name in argv[argv.index("purge") + 1 :] if name in self.packages]
            if "--auto-remove" in argv:
                stay = {word[:-1] for word in argv if word.endswith("+")}
                gone += [name for name in self.needs if name in self.packages and name not in stay]
            for name in [] if dry else gone:
                self.packages.pop(name)
            return "".join(f"Purg {name} [1]\n" for name in gone)
        if "autoremove" in argv:
            return ""
        if self.stale:
            return Result(100, "", f"E: Unable to correct problems: {NAME} : Depends: dkms but it is not installable")
        if not dry and self.broken and FILE in argv:
            self.packages["dkms"] = ["3", False]
            return Result(100, "", "dpkg: error processing archive: no space left on device")
        if KEPT in argv:
            self.packages[NAME] = [OLD, False]
            return ""
        if FILE not in argv and not any(word.endswith(".deb") for word in argv):
            for word in argv:
                if word.endswith("-") and word[:-1] in self.packages:
                    self.packages.pop(word[:-1])
            return ""
        old = f" [{self.packages[NAME][0]}]" if NAME in self.packages else ""
        lines = [f"Inst {name} (3 archive [amd64])" for name in self.needs if name not in self.packages]
        lines += [f"Remv {name} [1]" for name in self.conflicts if name in self.packages]
        lines.append(f"Inst {NAME}{old} ({NEW} local [amd64])")
        if not dry:
            self.packages.update({name: ["3", False] for name in self.needs if name not in self.packages})
            self.packages[NAME] = [NEW, False]
            for name in self.conflicts:
                self.packages.pop(name, None)
        return "\n".join(lines) + "\n"

    def changes(self):
        words = [argv for argv in self.ran if argv[0] in ("apt-get", "apt-mark") and "-s" not in argv]
        return [argv for argv in words if "update" not in argv]


def want(**options):
    return {**DEFAULTS, "src": FILE, "remote_src": True, "sha256": SHA, **options}


def no_fetch(*_words):
    raise AssertionError("nothing may be downloaded")


def run(host, *, apply=True, fetch_with=no_fetch, **options):
    return _package_file.ensure(want(**options), host, fetch_with, apply=apply)


def test_a_package_comes_with_what_it_needs_and_is_held():
    host = Host()
    result = run(host, hold=True)
    assert result["steps"] == [f"Install {NAME} {NEW} with dkms", f"Hold {NAME}"]
    assert host.packages == {"dkms": ["3", False], NAME: [NEW, True]}
    assert result["diff"]["after"] == {"packages": {NAME: NEW}}


def test_a_second_run_is_idle_and_does_not_look_at_the_file():
    host = Host({NAME: (NEW, True)})
    result = run(host, hold=True, src=f"/gone/{NAME}_{NEW}_amd64.deb")
    assert not result["changed"] and [argv[0] for argv in host.ran] == ["dpkg-query"]


def test_check_mode_predicts_and_does_nothing():
    host = Host()
    result = run(host, apply=False, hold=True)
    assert result["changed"] and host.changes() == []
    real = run(Host(), hold=True)
    assert (real["steps"], real["diff"]) == (result["steps"], result["diff"])


def test_a_lost_hold_is_put_back_alone():
    host = Host({NAME: (NEW, False)})
    assert run(host, hold=True)["steps"] == [f"Hold {NAME}"]


@pytest.mark.parametrize(
    ("host", "options", "says"),
    [
        (Host(conflicts=["libcuda1"], packages={"libcuda1": ("1", False)}), {}, "would remove libcuda1"),
        (Host(needs=["libnvidia-compute-580"]), {}, "would touch the NVIDIA driver"),
        (Host(needs=["linux-image-6.1.0-99-amd64"]), {}, "would touch the kernel"),
        (Host(), {"sha256": "0" * 64}, "is not the file that was asked for"),
        (Host(), {"sha256": None}, "are both needed"),
        (Host(), {"src": None}, "are both needed"),
        (Host(), {"src": "/srv/a.run"}, "is no .deb file"),
        (Host(), {"src": "/srv/none_1_amd64.deb"}, "There is no file"),
        (Host(), {"src": "a.deb", "remote_src": False}, "does not tell package and version"),
        (Host(told=f"{NAME}\n535.1.1\namd64\n"), {}, "holds nvidia-linux-grid-535 535.1.1"),
        (Host(told=f"{NAME}\n{NEW}\narm64\n"), {}, "is for arm64, and this host is amd64"),
        (Host(told=Result(2, "", "not a Debian format archive")), {}, "no sound package"),
        (Host(stale=True), {"refresh": "never"}, "finds no way to install"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_changes(host, options, says):
    before = dict(host.packages)
    with pytest.raises(NvidiaError, match=says):
        run(host, **options)
    assert host.changes() == [] and host.packages == before


def test_another_branch_may_be_replaced_when_that_is_said():
    packages = {"nvidia-linux-grid-525": ("525.1", False)}
    host = Host(packages, conflicts=["nvidia-linux-grid-525"])
    run(host, replaces=["nvidia-linux-grid-*"])
    assert NAME in host.packages and "nvidia-linux-grid-525" not in host.packages


def test_a_stale_index_is_refreshed_once():
    host = Host(stale=True)
    assert run(host)["changed"] and [argv for argv in host.ran if "update" in argv]
    host = Host(stale=True)
    assert run(host, apply=False)["changed"] and not [argv for argv in host.ran if "update" in argv]


def test_a_failure_takes_back_what_came_and_tells_apt_s_reason():
    host = Host(broken=True)
    with pytest.raises(NvidiaError, match="no space left on device") as failure:
        run(host)
    assert "purged again: dkms" in str(failure.value) and host.packages == {}


def test_a_failed_upgrade_returns_to_the_kept_file():
    host = Host({NAME: (OLD, False)}, broken=True, files={KEPT: "old"})
    with pytest.raises(NvidiaError, match=f"{NAME} is back from its kept file"):
        run(host)
    assert host.packages == {NAME: [OLD, False]}


def test_a_controller_s_file_is_asked_for_only_when_it_is_needed():
    options = {"src": f"{NAME}_{NEW}_amd64.deb", "remote_src": False}
    assert run(Host(), **options) == {"transfer": True}
    assert not run(Host({NAME: (NEW, False)}), **options)["changed"]
    host = Host(files={"/tmp/there.deb": CONTENT})
    assert run(host, transferred="/tmp/there.deb", **options)["changed"]
    assert host.exists(f"{_package_file.FOLDER}/{NAME}_{NEW}_amd64.deb")


def test_an_address_is_fetched_and_a_wrong_answer_leaves_nothing():
    host = Host()

    def page(_address, path, _timeout):
        host.files[path] = "<!DOCTYPE html>"

    with pytest.raises(NvidiaError, match="it is a web page"):
        run(host, fetch_with=page, src=f"https://example.com/{NAME}_{NEW}_amd64.deb?key=1", remote_src=False)
    assert host.entries(_package_file.FOLDER) == [] and host.changes() == []


def test_absent_purges_what_only_it_needed_but_what_is_kept():
    host = Host({NAME: (NEW, True), "dkms": ("3", False), "vim": ("1", False)}, files={KEPT: "old"})
    result = run(host, state="absent", name="nvidia-linux-grid-*", keep=["dkms"])
    assert result["changed"] and set(host.packages) == {"dkms", "vim"}
    assert host.entries(_package_file.FOLDER) == []
    assert not run(host, state="absent", name="nvidia-linux-grid-*")["changed"]


DNF = """\
Dependencies resolved.
================================================================================
 Package                Architecture Version          Repository           Size
================================================================================
Installing:
 nvidia-linux-grid-570  x86_64       570.133.20-1     @commandline        350 M
Installing dependencies:
 dkms                   noarch       3.0.13-1.el9     epel                 60 k
{removing}
Transaction Summary
Operation aborted.
"""
RPM = "/srv/nvidia-linux-grid-570-570.133.20-1.x86_64.rpm"


def rpm_host(removing="", installed=""):
    return FakeSystem(
        files={RPM: CONTENT},
        which=["dnf"],
        commands={
            ("rpm", "-qa"): installed,
            ("rpm", "-qp"): "nvidia-linux-grid-570\n570.133.20-1\nx86_64\n",
            ("dnf",): lambda argv: Result(1, DNF.format(removing=removing), "") if "--assumeno" in argv else "",
            ("uname", "-m"): "x86_64\n",
            ("sha256sum",): f"{SHA}  {RPM}\n",
        },
    )


def test_an_rpm_comes_by_dnf_after_a_dry_run_and_is_locked():
    host = rpm_host()
    result = run(host, src=RPM, hold=True)
    assert result["steps"] == ["Install nvidia-linux-grid-570 570.133.20-1 with dkms", "Hold nvidia-linux-grid-570"]
    words = [argv for argv in host.ran if argv[0] == "dnf" and "--assumeno" not in argv]
    assert [argv[-1] for argv in words if "list" not in argv] == [RPM, "nvidia-linux-grid-570"]


def test_an_rpm_that_would_remove_something_is_refused():
    removing = "Removing dependent packages:\n nvidia-driver-cuda x86_64 3:580 @cuda 1 M\n"
    with pytest.raises(NvidiaError, match="remove nvidia-driver-cuda"):
        run(rpm_host(removing), src=RPM)
    assert parse_removed(DNF.format(removing=removing)) == ["nvidia-driver-cuda"]


def test_an_installed_rpm_is_left_alone():
    host = rpm_host(installed="nvidia-linux-grid-570\t570.133.20-1\tx.src.rpm\n")
    assert not run(host, src=RPM)["changed"]


def test_a_download_tells_its_address_without_secrets(tmp_path):
    with pytest.raises(NvidiaError) as failure:
        fetch("http://user:password@127.0.0.1:9/a.deb?token=hidden", str(tmp_path / "a.deb"), 60)
    told = str(failure.value)
    assert "127.0.0.1:9/a.deb cannot be downloaded" in told
    assert "hidden" not in told and "password" not in told


def test_a_download_is_for_root_alone(tmp_path):
    (tmp_path / "a.deb").write_bytes(b"x" * 3_000_000)
    fetch((tmp_path / "a.deb").as_uri(), str(tmp_path / "b.deb"), 60)
    assert (tmp_path / "b.deb").read_bytes() == (tmp_path / "a.deb").read_bytes()
    assert (tmp_path / "b.deb").stat().st_mode & 0o777 == 0o600


def with_modules(dkms):
    """A host that has the package, its sources and the headers, and of DKMS what *dkms* says: {kernel: installed}."""
    host = Host({NAME: (NEW, True)})
    host.files[f"/usr/src/nvidia-{NEW}/dkms.conf"] = ""

    def install(kernel):
        host.files[f"/lib/modules/{kernel}/updates/dkms/nvidia.ko"] = ""
        host.files[f"/var/lib/dkms/nvidia/{NEW}/source/dkms.conf"] = ""
        host.links[f"/var/lib/dkms/nvidia/kernel-{kernel}-x86_64"] = f"{NEW}/{kernel}/x86_64"
        return ""

    for kernel, is_there in dkms.items():
        host.files[f"/lib/modules/{kernel}/build/Makefile"] = ""
        if is_there:
            install(kernel)
    host.commands[("dkms",)] = lambda argv: install(argv[argv.index("-k") + 1])
    return host


def test_what_dkms_has_lost_of_a_package_that_is_there_comes_back():
    host = with_modules({"6.1": True, "6.2": False})
    predicted = run(host, apply=False, kernels=["6.1", "6.2", "6.3"])  # 6.3 has no headers
    assert predicted["steps"] == [f"Have DKMS install the modules of {NAME} for 6.2"]
    assert not [argv for argv in host.ran if argv[0] == "dkms"]
    assert run(host, kernels=["6.1", "6.2", "6.3"])["steps"] == predicted["steps"]
    assert [argv[-1] for argv in host.ran if argv[0] == "dkms"] == ["6.2"] and host.changes() == []
    assert not run(host, kernels=["6.1", "6.2"])["changed"]


def test_a_package_without_sources_is_left_alone():
    host = with_modules({"6.2": False})
    del host.files[f"/usr/src/nvidia-{NEW}/dkms.conf"]
    assert not run(host, kernels=["6.2"])["changed"]
