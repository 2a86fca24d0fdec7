"""What DKMS has built beside what is installed, and getting the one to be the other whatever has happened to either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build, _dkms_modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import observe_dkms
from ansible_collections.gpufleet.nvidia.plugins.module_utils._module_file import MAGIC, body
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError, Result
from tests.unit.fake_system import FakeSystem
from tests.unit.test_driver import module_file

NAME, VERSION, KERNEL = "nvidia", "535.261.03", "6.12.0-9-amd64"
TREE = f"/var/lib/dkms/{NAME}"
BUILT = f"{TREE}/{VERSION}/{KERNEL}/x86_64/module"
INSTALLED = f"/lib/modules/{KERNEL}/updates/dkms"
ARCHIVE = f"{TREE}/original_module/{KERNEL}/x86_64"
SIGNED = module_file(VERSION, signer="DKMS")


class Host(FakeSystem):
    """Modules that DKMS has built, registered and installed; its program does as version 3.2 does.

    :param fails: DKMS has taken away what is there, and then finds no room
    :param archives: it puts that into its archive first, as 3.2 does; 3.0 on Debian writes over it
    """

    def __init__(self, fails=False, archives=True):
        files = {f"/usr/src/{NAME}-{VERSION}/dkms.conf": "", f"{TREE}/{VERSION}/source/dkms.conf": ""}
        files[f"{BUILT}/Module.symvers"] = "0x1\tnv\tnvidia"
        for file in ("nvidia.ko", "nvidia-modeset.ko"):
            files |= {f"{BUILT}/{file}": SIGNED, f"{INSTALLED}/{file}": SIGNED}
        super().__init__(files, {f"{TREE}/kernel-{KERNEL}-x86_64": f"{VERSION}/{KERNEL}/x86_64"})
        self.commands = {("dkms",): self.dkms, ("rm",): self.rm, ("mv",): self.mv, ("cp",): self.cp}
        self.commands[("depmod",)] = ""
        self.fails, self.archives, self.room = fails, archives, 9

    def forget(self):
        """Somebody has removed the registration; the modules are there still."""
        self.files = {path: data for path, data in self.files.items() if not path.startswith(TREE)}
        self.links.clear()

    def rm(self, argv):
        self.files = {path: data for path, data in self.files.items() if not path.startswith(f"{argv[-1]}/")}
        return ""

    def mv(self, argv):
        self.files[argv[-1]] = self.files.pop(argv[-2])
        return ""

    def cp(self, argv):
        if not self.room and self.fails == "late":
            raise CommandTimeout(argv, 120)
        if not self.room:
            self.files[argv[-1]] = "what there was room for"
            return Result(1, "", "No space left on device")
        self.room -= 1
        self.files[argv[-1]] = self.files[argv[-2]]
        return ""

    def dkms(self, argv):
        there = [file for file in self.entries(INSTALLED) if ".ko" in file]
        if "--force" not in argv and there:
            return Result(6 if not self.links else 0, "", "already installed, override by specifying --force")
        for file in there if self.archives else ():
            self.files[f"{ARCHIVE}/{file}"] = self.files.pop(f"{INSTALLED}/{file}")
            self.files[f"{ARCHIVE}/{file}.origin"] = f"{INSTALLED}/{file}\n"
        if self.fails:
            self.files[f"{INSTALLED}/nvidia.ko"] = "half of it"
            if self.fails == "late":
                raise CommandTimeout(argv, 60)
            return Result(28, "", "No space left on device")
        for file in ("nvidia.ko", "nvidia-modeset.ko"):
            self.files |= {f"{BUILT}/{file}": SIGNED, f"{INSTALLED}/{file}": SIGNED}
        self.files[f"{TREE}/{VERSION}/source/dkms.conf"] = ""
        self.links[f"{TREE}/kernel-{KERNEL}-x86_64"] = f"{VERSION}/{KERNEL}/x86_64"
        return ""

    def installed(self):
        return {path: data for path, data in self.files.items() if path.startswith(INSTALLED)}


def build(host):
    _dkms_build.build(host, NAME, VERSION, KERNEL, 60)


def edited(host, data):
    host.files[f"{INSTALLED}/nvidia-modeset.ko"] = data


def without_modules(host):
    for path in host.installed():
        del host.files[path]


# What has happened; what DKMS is then to us; what the facts call it; whether DKMS must be forced.
MOVES = [
    (lambda host: None, True, "installed", None),
    (lambda host: edited(host, module_file(VERSION, signer="site")), True, "installed", None),
    (lambda host: edited(host, module_file(VERSION)), False, "differs", True),
    (lambda host: edited(host, module_file("535.1", signer="DKMS")), False, "differs", True),
    (lambda host: host.files.pop(f"{INSTALLED}/nvidia-modeset.ko"), False, "differs", True),
    (without_modules, False, "installed", True),
    (Host.forget, None, None, True),
    (lambda host: (host.forget(), without_modules(host)), None, None, False),
]


@pytest.mark.parametrize(("move", "state", "fact", "force"), MOVES)
def test_whatever_has_moved_is_seen_and_mended(move, state, fact, force):
    host = Host()
    move(host)
    assert _dkms_build.state(host, NAME, VERSION, KERNEL) is state
    assert [row["state"] for row in observe_dkms(host)] == ([fact] if fact else [])
    if force is None:
        return
    build(host)
    (argv,) = [argv for argv in host.ran if argv[0] == "dkms"]
    assert ("--force" in argv) is force
    assert _dkms_build.state(host, NAME, VERSION, KERNEL) is True
    assert [row["state"] for row in observe_dkms(host)] == ["installed"]
    assert not host.exists(f"{TREE}/original_module")  # the same driver must not come back when it is removed


def test_not_even_the_folder_stays_of_what_dkms_put_aside():
    host = Host()
    host.forget()
    build(host)
    assert ["rmdir", "--ignore-fail-on-non-empty", f"{TREE}/original_module"] in host.ran


@pytest.mark.parametrize("fails", [True, "late"])
@pytest.mark.parametrize("archives", [True, False])
@pytest.mark.parametrize("move", [Host.forget, lambda host: edited(host, module_file("535.1"))])
def test_a_failure_leaves_the_modules_where_they_were(move, archives, fails):
    host = Host(fails, archives)
    move(host)
    before = host.installed()
    with pytest.raises(NvidiaError, match="did not end within" if fails == "late" else "No space left"):
        build(host)
    assert before and host.installed() == before and not host.exists(f"{TREE}/original_module")
    assert ["depmod", KERNEL] in host.ran


def test_what_only_dkms_has_put_aside_stays_in_its_archive():
    host = Host(fails=True)
    edited(host, module_file("535.1"))
    elsewhere = f"{ARCHIVE}/nvidia-peermem.ko"  # it looks through all of /lib/modules/KERNEL
    dkms, host.commands[("dkms",)] = host.dkms, lambda argv: (host.files.update({elsewhere: SIGNED}), dkms(argv))[1]
    with pytest.raises(NvidiaError, match="No space left"):
        build(host)
    assert host.exists(elsewhere)


@pytest.mark.parametrize("fails", [False, "late"])
@pytest.mark.parametrize("room", [0, 1])
def test_without_room_for_the_copies_nothing_begins(room, fails):
    host = Host(fails)
    host.forget()
    host.room, before = room, dict(host.files)
    with pytest.raises(NvidiaError, match=r"could not be put aside .* Nothing was changed"):
        build(host)
    assert host.files == before and not [argv for argv in host.ran if argv[0] == "dkms"]


def test_a_module_that_cannot_come_back_is_named():
    host = Host(fails=True)
    host.forget()
    host.commands[("mv",)] = Result(1, "", "Read-only file system")
    waits = f"{INSTALLED}/nvidia-ko.gpufleet-before"
    with pytest.raises(NvidiaError, match=f"{INSTALLED}/nvidia.ko is {waits} now: move it back"):
        build(host)
    assert host.files[waits] == SIGNED


def test_what_dkms_had_put_aside_before_stays_there():
    host = Host()
    without_modules(host)
    host.files[f"{ARCHIVE}/nvidia.ko"] = "of the kernel's own packages"
    build(host)
    assert host.exists(f"{ARCHIVE}/nvidia.ko")


def test_modules_of_another_version_are_not_replaced_by_force():
    host = Host()
    host.forget()
    for path in host.installed():
        host.files[path] = module_file("580.1", signer="DKMS")
    with pytest.raises(NvidiaError, match="already installed"):
        build(host)
    assert "--force" not in host.ran[0]


def test_what_cannot_be_read_is_not_called_another():
    host = Host()
    for path in [path for path in host.files if path.endswith(".ko")]:
        host.files[f"{path}.xz"] = f"damaged {path}"
        del host.files[path]
    assert _dkms_build.state(host, NAME, VERSION, KERNEL) is True


@given(st.binary(max_size=200))
def test_a_signature_is_all_that_goes(data):
    signature = data + bytes(8) + len(data).to_bytes(4, "big") + MAGIC
    assert body(b"module" + signature) == b"module"
    body(data), body(data + MAGIC)
    assert _dkms_modules.is_same(FakeSystem({"/a.ko": b"m", "/b.ko": b"m" + signature}), "/a.ko", "/b.ko")
