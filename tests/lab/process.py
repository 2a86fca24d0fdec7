"""One systemd-nspawn per host, detached from the terminal, in a control group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.lab.console import LabError

# systemd-nspawn ends with 133 when the host asks for a reboot; this loop is what would be systemd's Restart= elsewhere.
SUPERVISOR = 'while :; do "$@"; [ $? = 133 ] || exit; done'


def control_group(name: str) -> Path:
    """Gives the folder of the host's control group, in the second version's tree wherever that is mounted."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _dash, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return Path(fields.split(" ")[4]) / f"gpufleet-lab-{name}"
    raise LabError(
        "This machine has no control groups of the second version (cgroup2) mounted; systemd hosts need them."
    )


def nspawn_command(name: str, root: Path, binds: dict[Path, str]) -> list[str]:
    return [
        "systemd-nspawn",
        "--quiet",
        f"--directory={root}",
        f"--machine={name}",
        f"--hostname={name}",
        "--register=no",
        "--keep-unit",
        "--boot",
        "--resolv-conf=replace-host",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        *(f"--bind={outside}:{inside}" for outside, inside in binds.items()),
    ]


def start_time(pid: int) -> int | None:
    """Gives a process's start time in clock ticks, which tells it from a later one of its number; None: not there."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def is_ours(pid: int | None, started: int | None) -> bool:
    return pid is not None and started is not None and start_time(pid) == started


def start(name: str, root: Path, binds: dict[Path, str], log: Path) -> int:
    """Starts the host and gives its supervisor's process id."""
    group = control_group(name)
    group.mkdir(exist_ok=True)
    argv = [
        "sh",
        "-c",
        f"echo $$ > {group}/cgroup.procs || exit 1; {SUPERVISOR}",
        "lab",
        *nspawn_command(name, root, binds),
    ]
    environment = {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    }
    with log.open("ab") as stream:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    return process.pid


def members(group: Path) -> bool:
    """Says whether any process is left in the control group."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text(encoding="utf-8")
    except OSError:
        return False


def stop(name: str, pid: int | None, started: int | None, patience: float = 6.0) -> None:
    """Shuts the host down; what is left of it after ``patience`` seconds is killed through its own control group."""
    group = control_group(name)
    if pid is not None and is_ours(pid, started):
        os.killpg(pid, signal.SIGTERM)
        wait_until_empty(group, patience)
    if members(group):
        (group / "cgroup.kill").write_text("1")
        wait_until_empty(group, 10)
    for folder in sorted((p for p in group.glob("**/") if p.is_dir()), key=lambda p: len(p.parts), reverse=True):
        folder.rmdir()


def wait_until_empty(group: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while members(group) and time.monotonic() < end:
        time.sleep(0.05)
