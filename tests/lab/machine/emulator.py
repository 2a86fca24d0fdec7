"""One QEMU per host: firmware, its own variable store, a disk over the image's, SSH on its address.

Software emulation always: firmware with Secure Boot needs system management mode, which nested KVM does not have.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.lab import process
from tests.lab.console import LabError
from tests.lab.machine import serial
from tests.lab.machine.kinds import Kind
from tests.lab.places import SSH_PORT

# Half the time of a boot: what the newest processors have costs most to emulate (page tables of five levels, SMAP).
CPU = "qemu64"
CORES = 2
MEMORY_MIB = 2048
# How much translated code QEMU keeps, and keeps across a reset. What is left of the boot before, in a page that this
# boot writes to, makes every such write slow: with the usual gibibyte a sixth of a reboot. Less of it costs more.
TRANSLATED_MIB = 128
PATIENCE = 10.0
NICE = -15


def disk(home: Path) -> Path:
    return home / "disk.qcow2"


def variables(home: Path) -> Path:
    """Gives the file with the firmware's variables: keys, requests to MokManager, boot order."""
    return home / "variables.fd"


def belongings(home: Path) -> Path:
    """Gives the second disk: a tar archive of what belongs to this one host."""
    return home / "belongings.tar"


def command(name: str, kind: Kind, home: Path, address: str) -> list[str]:
    def drive(*words: str) -> list[str]:
        return ["-drive", ",".join(words)]

    return [
        "qemu-system-x86_64",
        *("-name", name, "-nodefaults", "-no-user-config", "-display", "none"),
        *kind.qemu,
        *("-accel", f"tcg,thread=multi,tb-size={TRANSLATED_MIB}", "-cpu", f"{CPU},vendor={kind.maker}"),
        *("-smp", str(CORES), "-m", str(MEMORY_MIB)),
        *drive("if=pflash", "unit=0", "format=raw", "readonly=on", f"file={kind.code}"),
        *drive("if=pflash", "unit=1", "format=raw", f"file={variables(home)}"),
        *drive("if=none", "id=system", "format=qcow2", "cache=unsafe", "discard=unmap", f"file={disk(home)}"),
        *("-device", "virtio-blk-pci,drive=system,bootindex=0"),
        *drive("if=none", "id=belongings", "format=raw", "readonly=on", f"file={belongings(home)}"),
        *("-device", "virtio-blk-pci,drive=belongings,serial=lab"),
        *("-netdev", f"user,id=net,hostfwd=tcp:{address}:{SSH_PORT}-:{SSH_PORT}"),
        *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"),
        *serial.options(home, address),
    ]


def start(name: str, kind: Kind, home: Path, address: str) -> int:
    """Powers the machine on and gives the process id."""
    log = home / "qemu.log"
    with log.open("wb") as stream:
        child = subprocess.Popen(
            command(name, kind, home, address),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,
        )
    prefer(child.pid)
    end = time.monotonic() + PATIENCE
    while child.poll() is None and not serial.is_open(address) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)  # after the console it opens its other port, and ends when one of them is taken
    if child.poll() is not None:
        raise LabError(f"{name}: QEMU ended at once with {child.returncode}: {log.read_text(errors='replace').strip()}")
    return child.pid


def prefer(pid: int) -> None:
    """Gives the machine's session more of the processors than others get, where the kernel shares them by sessions.

    A reboot beside much other work takes 73 s so, and 226 s otherwise. Where it may not be, all stays as it is.
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(f"{NICE}\n", encoding="ascii")
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, pid, NICE)


def stop(pid: int | None, started: int | None) -> None:
    """Cuts the power: ends this one process, by its number, when it is still the one that was started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if pid is None or not process.is_ours(pid, started):
            return
        os.kill(pid, sign)
        end = time.monotonic() + PATIENCE
        while process.is_ours(pid, started) and time.monotonic() < end:
            time.sleep(0.05)
