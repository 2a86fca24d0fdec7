"""Single checks of the module `preflight`: disks, locks, programs on the GPUs, signing keys, IOMMU and clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_lock as lock
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_machine as machine
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_signing as signing
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_space as space
from ansible_collections.gpufleet.nvidia.plugins.module_utils._dpkg import Package
from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import listed
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

MOUNTS = {"/": 900, "/boot": 40, "/var": 5000}
MIB = 1024 * 1024


class Disks(FakeSystem):
    """mounts: {mount point: MiB free}"""

    def __init__(self, mounts, **more):
        super().__init__(**more)
        self.mounts = mounts
        self.commands[("df",)] = self.df
        self.commands[("stat",)] = lambda argv: "\n".join(str(len(self.read_bytes(path))) for path in argv[4:])
        self.files.update({f"{mount.rstrip('/')}/x": "" for mount in mounts})

    def df(self, argv):
        mount = max((m for m in self.mounts if f"{argv[-1]}/".startswith(f"{m.rstrip('/')}/")), key=len)
        return f"Filesystem 1K Used Available Capacity Mounted on\n/x 9 9 {self.mounts[mount] * 1024} 9% {mount}\n"


def room(rows, system=None, sizes=None, margin=64):
    params = {"space": [{"reason": "a test", **row} for row in rows], "space_margin_mib": margin}
    return space.check(system or Disks(MOUNTS), params, sizes or {})


def test_df_of_a_real_host_is_read():
    rows = space.parse_df(fixture("df/debian12-lab.txt"))
    assert [row.mount for row in rows] == ["/", "/var/cache/apt/archives", "/dev/shm"]
    assert rows[0].free == 74550920 // 1024


@given(st.text())
def test_any_text_is_passed_over_by_the_parsers(text):
    assert isinstance(space.parse_df(text), list)
    assert isinstance(space.parse_read_only(text), set)
    assert isinstance(holders.parse_users(text), dict)
    assert machine.parse_timedatectl(text) in (True, False, None)
    assert machine.parse_chrony(text) in (True, False, None)


@given(st.lists(st.tuples(st.sampled_from(["/usr", "/opt", "/var", "/boot"]), st.integers(0, 6000)), max_size=5))
def test_a_disk_is_short_exactly_when_the_sum_of_its_needs_does_not_fit(wants):
    findings, observed = room([{"path": path, "mib": mib} for path, mib in wants])
    short = {row["mount"] for row in observed if row["needed_mib"] and row["needed_mib"] + 64 > row["free_mib"]}
    assert {row["text"].split(" ")[0] for row in findings} == short
    assert sum(row["needed_mib"] for row in observed) == sum(mib for _path, mib in wants)


def test_needs_on_one_disk_add_up_and_each_is_named():
    (found,), _observed = room([{"path": "/usr", "mib": 500}, {"path": "/opt/cuda/12", "mib": 400}])
    assert found["text"].startswith(
        "/ has 900 MiB free, and 964 MiB are needed: 500 MiB in /usr for a test, 400 MiB in"
    )


def test_a_folder_that_is_not_there_yet_counts_for_the_disk_above_it():
    _findings, observed = room([{"path": "/var/cache/none/yet", "mib": 1}])
    assert observed == [{"mount": "/var", "free_mib": 5000, "needed_mib": 1}]


def test_the_size_of_a_transaction_counts_instead_of_the_estimate():
    row = {"path": "/", "mib": 5000, "of": "cuda", "part": "installed"}
    assert room([row])[0]
    assert room([row], sizes={("cuda", "installed"): 100})[0] == []
    assert room([row], sizes={("nccl", "installed"): 100})[0]


def test_an_initramfs_needs_its_own_size_once_more():
    disks = Disks(MOUNTS, files={"/boot/initrd.img-1": b"x" * (30 * MIB), "/boot/initrd.img-2": b"x" * (5 * MIB)})
    row = {"path": "/boot", "mib": 16, "copy_of": ["/boot/initrd.img-1", "/boot/initrd.img-2", "/boot/gone"]}
    (found,), observed = room([row], disks, margin=0)
    assert observed[0]["needed_mib"] == 46
    assert "kernels that are no longer booted" in found["text"]


def test_a_read_only_disk_is_named_whatever_room_it_has():
    disks = Disks(MOUNTS, files={"/proc/self/mounts": "/dev/a / ext4 ro,relatime 0 0\n"})
    (found,), _observed = room([{"path": "/usr", "mib": 1}], disks)
    assert found["code"] == "space_read_only"


def test_of_several_mounts_on_one_point_the_last_counts():
    text = "a /mnt\\040x e ro 0 0\nb /mnt\\040x e rw 0 0\nc /y e rw,errors=remount-ro 0 0\nd /z e ro,noatime 0 0\n"
    assert space.parse_read_only(text) == {"/z"}


def test_a_disk_that_does_not_answer_is_told():
    system = FakeSystem(files={"/var/x": ""})
    (found,), _observed = room([{"path": "/var", "mib": 1}], system)
    assert (found["severity"], found["code"]) == ("warning", "space_unknown")


def test_real_locks_name_their_holder():
    system = FakeSystem(
        files={"/proc/locks": fixture("proc/debian12-locks.txt"), "/proc/250/cmdline": "apt-get\0upgrade\0"},
        links={"/proc/250/fd/4": "/var/lib/dpkg/lock-frontend", "/proc/250/fd/5": "/var/lib/dpkg/lock"},
    )
    assert lock.holders(system, "apt") == [("/var/lib/dpkg/lock-frontend", 250, "apt-get upgrade")]


@pytest.mark.parametrize(("timeout", "severity"), [(300, "warning"), (0, "error")])
def test_a_lock_is_a_blocker_only_where_nobody_waits(timeout, severity):
    (found,) = lock.lock_findings([("/var/lib/dpkg/lock", 7, None)], timeout)
    assert found["severity"] == severity
    assert "process 7 (unknown command) holds /var/lib/dpkg/lock" in found["text"]


def package(name, status, source=None):
    return Package(name, "1", source or name, "install", status)


def lock_check(status, *, asked=(), driver=False, files=None, name="libfoo", source=None):
    params = {"lock_timeout": 300, "transactions": [{"packages": list(asked), "driver": driver}]}
    return lock.check(FakeSystem(files=files or {}), params, "apt", {name: package(name, status, source)})


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("half-configured", "dpkg --configure -a"),
        ("unpacked", "dpkg --configure -a"),
        ("half-installed", "apt-get install --reinstall libfoo"),
    ],
)
def test_an_interrupted_package_is_a_blocker_with_the_command_that_mends_it(status, command):
    (found,) = lock_check(status)
    assert (found["severity"], found["code"]) == ("error", "packages_interrupted")
    assert f"`{command}`" in found["text"] and "libfoo" in found["text"]


@pytest.mark.parametrize("status", ["installed", "config-files", "triggers-pending", "triggers-awaited"])
def test_a_package_that_waits_for_nothing_but_triggers_is_no_blocker(status):
    assert lock_check(status) == []


def test_what_the_roles_finish_by_themselves_is_no_blocker():
    assert [row["severity"] for row in lock_check("half-configured", asked=["libfoo=1-1"])] == ["warning"]
    source = {"name": "libcuda1", "source": "nvidia-graphics-drivers"}
    assert [row["severity"] for row in lock_check("unpacked", driver=True, **source)] == ["warning"]
    assert [row["severity"] for row in lock_check("unpacked", **source)] == ["error"]


def test_unfinished_packages_are_normal_while_somebody_works():
    files = {"/proc/locks": "1: POSIX  ADVISORY  WRITE 77 fe:00:1 0 EOF\n"}
    params = {"lock_timeout": 300, "transactions": []}
    system = FakeSystem(files=files, links={"/proc/77/fd/3": "/var/lib/dpkg/lock"})
    found = lock.check(system, params, "apt", {"libfoo": package("libfoo", "half-configured")})
    assert [(row["severity"], row["code"]) for row in found] == [
        ("warning", "package_manager_locked"),
        ("warning", "packages_in_progress"),
    ]


def test_a_journal_of_dpkg_s_is_a_blocker_and_its_temporary_file_is_none():
    assert [row["code"] for row in lock_check("installed", files={"/var/lib/dpkg/updates/0001": ""})] == [
        "packages_interrupted"
    ]
    assert lock_check("installed", files={"/var/lib/dpkg/updates/tmp.i": ""}) == []


def test_pacman_s_lock_is_a_file():
    params = {"lock_timeout": 300, "transactions": []}
    assert lock.check(FakeSystem(files={lock.PACMAN: ""}), params, "pacman", {})[0]["code"] == "package_manager_locked"
    assert lock.check(FakeSystem(), params, "pacman", {}) == []


def gpu_host(**links):
    """Processes by number, each with one open file."""
    return FakeSystem(
        files={
            "/proc/10/comm": "python3\n",
            "/proc/9/comm": "Xorg\n",
            "/proc/11/comm": "nvidia-persiste\n",
            "/proc/self/comm": "x",
            "/etc/passwd": "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
            "/sys/class/drm/card0/device/vendor": "0x1a03\n",
            "/sys/class/drm/card1/device/vendor": "0x10de\n",
        },
        links={f"/proc/{pid[1:]}/fd/3": target for pid, target in links.items()},
    )


@pytest.mark.parametrize(
    ("device", "holds"),
    [
        ("/dev/nvidia0", True),
        ("/dev/nvidiactl", True),
        ("/dev/nvidia-uvm", True),
        ("/dev/nvidia-caps/nvidia-cap1", True),
        ("/dev/dri/card1", True),
        ("/dev/dri/card0", False),  # of a management controller
        ("/dev/null", False),
        ("/dev/nvidia0.log", False),
        ("/home/ann/nvidia0", False),
    ],
)
def test_a_program_holds_a_gpu_when_it_has_one_of_its_devices_open(device, holds):
    assert bool(holders.check(gpu_host(p10=device), {"holders": "warning"})) is holds


def test_holders_are_named_with_process_program_and_user_in_order():
    system = gpu_host(p10="/dev/nvidia0", p9="/dev/dri/card1")
    (found,) = holders.check(system, {"holders": "error"})
    assert "Xorg (process 9 of root, /dev/dri/card1) and python3 (process 10 of root, /dev/nvidia0)" in found["text"]
    assert "2 programs hold" in found["text"] and "nvidia_driver_reboot_ok" in found["text"]
    assert holders.check(gpu_host(p10="/dev/nvidia0"), {"holders": "note"})[0]["text"].startswith("1 program holds")


def test_the_persistence_daemon_is_nobody_s_program():
    assert holders.check(gpu_host(p11="/dev/nvidia0"), {"holders": "error"}) == []


def signed(**files):
    return signing.check(
        FakeSystem(files=files.get("files", {})), {"signing_certificates": ["/k/mok.pub", "/k/MOK.der"]}
    )


CERTIFICATE = b"0\x82\x03\x01 a certificate"
LIST = b"\x07\0\0\0" + b"other" + CERTIFICATE + b"more"


@pytest.mark.parametrize(
    ("files", "severity", "code"),
    [
        ({}, "warning", "signing_key_missing"),
        ({"/k/mok.pub": CERTIFICATE}, "warning", "signing_key_unknown"),
        ({"/k/mok.pub": CERTIFICATE, signing.ENROLLED[0]: LIST}, "note", "signing_key_enrolled"),
        ({"/k/MOK.der": CERTIFICATE, signing.ENROLLED[1]: LIST}, "note", "signing_key_enrolled"),
        ({"/k/mok.pub": CERTIFICATE, signing.ENROLLED[0]: b"\x07\0\0\0other"}, "warning", "signing_key_untrusted"),
        (
            {"/k/mok.pub": CERTIFICATE, signing.ENROLLED[0]: b"other", signing.PENDING[0]: LIST},
            "warning",
            "signing_key_pending",
        ),
    ],
)
def test_the_signing_key_is_looked_for_where_shim_shows_the_enrolled_ones(files, severity, code):
    (found,) = signed(files=files)
    assert (found["severity"], found["code"]) == (severity, code)


def test_an_iommu_is_there_when_the_kernel_has_groups():
    assert machine.iommu_findings(FakeSystem(files={"/sys/kernel/iommu_groups/0/type": "DMA"})) == []
    (found,) = machine.iommu_findings(FakeSystem(files={"/proc/cmdline": "quiet intel_iommu=off"}))
    assert found["severity"] == "error" and "started with intel_iommu=off" in found["text"]


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        ({("timedatectl",): "NTPSynchronized=yes\n"}, None),
        ({("timedatectl",): "NTPSynchronized=no\n"}, "clock_unsynchronised"),
        ({("chronyc",): "Reference ID    : C0A80001\nLeap status     : Normal\n"}, None),
        ({("chronyc",): "Leap status     : Not synchronised\n"}, "clock_unsynchronised"),
        ({}, "clock_unknown"),
    ],
)
def test_the_clock_is_right_when_somebody_who_knows_says_so(commands, code):
    found = machine.clock_findings(FakeSystem(commands=commands))
    assert [row["code"] for row in found] == ([code] if code else [])


@given(st.lists(st.sampled_from("abcdefgh"), max_size=12))
def test_a_long_list_tells_how_many_it_leaves_out(words):
    text = listed(words, 3)
    assert text == "none" if not words else all(word in text for word in words[:3])
    assert (f"{len(words) - 3} more" in text) == (len(words) > 3)
