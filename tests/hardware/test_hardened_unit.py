"""The unit's hardening on a machine with a real GPU: CUDA computes and compiles under it. Computes only.

`python3 -m pytest tests/hardware/test_hardened_unit.py` as root where this Python has torch. There is no systemd in it:
what the unit's own lines ask of the kernel is done with unshare, mount and setpriv, and by system_call_filters.py.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import LAYOUT
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_units import template_unit

pytestmark = [
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi"),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="this Python has no torch"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make mounts"),
]
NOBODY = 65534
FILTERS = ("RestrictSUIDSGID", "LockPersonality")
FILTERING = Path(__file__).with_name("system_call_filters.py")


def read_only(path: str) -> list[str]:
    return [f"mount --bind {path} {path}", f"mount -o remount,bind,ro {path}"]


# What a line of the unit does to the file systems that the server sees.
MOUNTS = {
    "PrivateTmp": ["mount -t tmpfs -o mode=1777 tmpfs /tmp"],
    "TemporaryFileSystem": ["mount -t tmpfs -o mode=1777 tmpfs /dev/shm"],
    "ProtectSystem": [*read_only("/")],
    "ProtectKernelTunables": [*read_only("/proc/sys"), *read_only("/sys")],
    "ProtectControlGroups": [*read_only("/sys/fs/cgroup")],
    "ProtectKernelLogs": ["if [ -e /dev/kmsg ]; then mount --bind /dev/null /dev/kmsg; fi"],
}
COMPUTES = """
import os, torch, torch.multiprocessing as processes
def total(box): box.put(float(torch.ones(64, 64, device="cuda").sum()))
if __name__ == "__main__":
    ones = torch.ones(1024, 1024, device="cuda")
    print("product", (ones @ ones).sum().item())
    print("pinned", torch.ones(1 << 20).pin_memory().cuda().sum().item())
    shared = torch.ones(1 << 20).share_memory_()
    print("shared", shared.sum().item())
    box = processes.get_context("spawn").SimpleQueue()
    child = processes.get_context("spawn").Process(target=total, args=(box,))
    child.start(); child.join(); print("child", box.get())
    print("compiled", torch.compile(lambda x: (x * 2).relu().sum())(ones).item())
"""
REFUSED = """
import os
for path in ("/etc/gpufleet-test", "/usr/gpufleet-test", "/proc/sys/kernel/hostname"):
    try:
        open(path, "w").close()
        print("written", path)
    except OSError as exc:
        print("refused", path, exc.strerror)
"""
FILTERED = """
import ctypes, os
open("file", "w").close()
def tried(name, *arguments):
    try:
        getattr(os, name)(*arguments)
        print("done", name)
    except OSError as exc:
        print("refused", name, exc.strerror)
tried("chmod", "file", 0o4755)
tried("chmod", "file", 0o755)
tried("mkdir", "folder", 0o2755)
tried("mkdir", "folder", 0o755)
tried("open", "other", os.O_CREAT | os.O_WRONLY, 0o6755)
tried("open", "other", os.O_CREAT | os.O_WRONLY, 0o755)
libc = ctypes.CDLL(None)
print("personality", libc.personality(0x0040000), libc.personality(0xFFFFFFFF))
"""
PRIVILEGES = 'print([line for line in open("/proc/self/status") if line.startswith("NoNewPrivs")])'


def hardening() -> dict[str, str]:
    """The lines of the unit that restrict the server, as the role would write them."""
    with_it, without = (template_unit({**LAYOUT, "hardening_enabled": one}).splitlines() for one in (True, False))
    return dict(line.split("=", 1) for line in with_it if line and line not in without)


@pytest.fixture
def run(tmp_path):
    """Runs a program of Python as an unprivileged user or as root, under what the unit's lines ask of the kernel."""
    lines, folders = hardening(), [tmp_path / "home", tmp_path / "cache"]
    for folder in folders:
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
    # pytest's own folders lie below /tmp, which the server does not see: these are bound elsewhere first.
    kept = [f"mkdir -p /run/gpufleet-test/{folder.name}" for folder in folders]
    kept += [f"mount --bind {folder} /run/gpufleet-test/{folder.name}" for folder in folders]
    steps = ["mount --make-rprivate /", *kept]
    for name in sorted(lines, key=lambda name: name == "PrivateTmp"):
        steps += MOUNTS.get(name, [])

    def inside(program: str, is_root: bool = False) -> str:
        home, cache = "/run/gpufleet-test/home", "/run/gpufleet-test/cache"
        shutil.copy(FILTERING, folders[0])
        source = folders[0] / "program.py"
        source.write_text(program, encoding="utf-8")
        source.chmod(0o644)
        rights = "--no-new-privs" if lines["NoNewPrivileges"] == "yes" else ""
        user = "" if is_root else f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {rights}"
        filters = f"{sys.executable} {home}/{FILTERING.name} {' '.join(FILTERS)} --"
        caches = f"XDG_CACHE_HOME={cache} TRITON_CACHE_DIR={cache}/triton TORCHINDUCTOR_CACHE_DIR={cache}/inductor"
        steps_and_run = [
            *steps,
            f"cd {home}",
            f"exec {user} {filters} env HOME={home} {caches} {sys.executable} {home}/program.py",
        ]
        script = "set -e\n" + "\n".join(steps_and_run) + "\n"
        done = subprocess.run(
            ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True, timeout=300, check=False
        )
        print(done.stdout, done.stderr)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    yield inside
    shutil.rmtree("/run/gpufleet-test", ignore_errors=True)


def test_every_line_of_the_hardening_has_its_twin_here():
    said = {"PrivateDevices", "NoNewPrivileges", "ReadWritePaths", *FILTERS, *MOUNTS}
    assert set(hardening()) == said


def test_cuda_computes_shares_memory_and_compiles_under_it(run):
    said = dict(line.split() for line in run(COMPUTES).splitlines() if line)
    assert said["product"] == str(float(1024**3))
    assert (said["pinned"], said["shared"], said["child"]) == (str(float(1 << 20)), str(float(1 << 20)), "4096.0")
    assert said["compiled"] == str(float(2 * 1024**2))


def test_it_does_restrict(run):
    said = run(REFUSED, is_root=True)
    assert "written" not in said
    assert said.count("Read-only file system") == 3
    assert r"NoNewPrivs:\t1" in run(PRIVILEGES)


def test_it_does_filter_system_calls(run):
    said = run(FILTERED).splitlines()
    for name in ("chmod", "mkdir", "open"):
        assert [line for line in said if name in line] == [f"refused {name} Operation not permitted", f"done {name}"]
    assert said[-1] == "personality -1 0"


def test_device_files_are_there_for_everybody():
    modes = {path: path.stat().st_mode & 0o666 for path in Path("/dev").glob("nvidia[0-9]*")}
    assert modes and set(modes.values()) == {0o666}
