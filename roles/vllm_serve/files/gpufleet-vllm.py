# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd runs before and after it starts one vLLM server. It needs nothing but Python's standard library.

    gpufleet-vllm prepare --unit U --port N [--user NAME] [--cards 0,1]    before the start, as root
    gpufleet-vllm wait --url URL               after it, as the server's user: ends when the server serves
    gpufleet-vllm follow --leader HOST:PORT COMMAND …    a server that works for one on another host, and ends with it

``prepare`` removes what a server of this unit has left behind, and nobody else's: processes in the unit's own control
group, and shared memory of the server's user that no living process holds. It refuses a port that somebody listens on,
because a second server there loads its model and is never heard. And it waits while another server of one of its cards
starts: while it measures a card's memory, nobody else may take some.

``wait`` makes "active" mean "serves". While a server starts, SIGTERM
alone never ends it (its engine swallows the signal); told to end, ``wait`` therefore kills it after a grace period.

``follow`` runs the server. One that works for another stays when that has ended, for ever, and the other's next start
waits for a new one: so this ends it, and systemd starts it anew.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pwd
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

LISTEN = "0A"
GRACE = 10  # seconds that a starting server has to end by itself
SHM = "/dev/shm"
RUN = "/run/gpufleet-vllm"
LOOK = 2  # seconds between two looks at the leader; after MISSED without an answer it is gone
MISSED = 3
SEGMENTS = ("psm_", "sem.mp-", "torch_")


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def processes() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def own_group() -> str:
    """The folder of this unit's control group; empty where there is none of the second version."""
    for line in read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            return "/sys/fs/cgroup" + line[3:]
    return ""


def group_members(group: str) -> list[int]:
    """Every other process of this unit; none where the group is not that of a vLLM unit."""
    if "/vllm@" not in group:
        return []
    found = [int(word) for folder, _dirs, _files in os.walk(group) for word in read(f"{folder}/cgroup.procs").split()]
    return [pid for pid in found if pid not in (os.getpid(), 0)]


def kill(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def clear_group() -> None:
    left = group_members(own_group())
    for pid in left:
        print(f"Ends process {pid} ({read(f'/proc/{pid}/comm').strip()}), which an earlier server of this unit left.")
    kill(left, signal.SIGKILL)
    for _turn in range(100):
        if not group_members(own_group()):
            return
        time.sleep(0.1)


def held_segments() -> set[str]:
    """Every file of /dev/shm that a living process has open or mapped."""
    held = set()
    for pid in processes():
        held |= {line.split(None, 5)[5] for line in read(f"/proc/{pid}/maps").splitlines() if f" {SHM}/" in line}
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                held.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue
    return held


def clear_segments(user: str) -> None:
    """Removes shared memory of this user that nobody holds; that of running servers is held by them."""
    uid = pwd.getpwnam(user).pw_uid
    mine = []
    for name in os.listdir(SHM):
        path = f"{SHM}/{name}"
        if name.startswith(SEGMENTS) and os.path.isfile(path) and os.lstat(path).st_uid == uid:
            mine.append(path)
    held = held_segments() if mine else set()
    for path in mine:
        if path not in held:
            print(f"Removes {path}, shared memory that an ended server left.")
            os.unlink(path)


def listener(port: int) -> str:
    """The socket's number of whoever listens on the port; empty: nobody does."""
    for line in [*read("/proc/net/tcp").splitlines()[1:], *read("/proc/net/tcp6").splitlines()[1:]]:
        fields = line.split()
        if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            return fields[9]
    return ""


def owner(inode: str) -> str:
    for pid in processes():
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{name}") == f"socket:[{inode}]":
                    return f"{read(f'/proc/{pid}/comm').strip()} (process {pid})"
        except OSError:
            continue
    return "another program"


def have_devices() -> None:
    """Under the unit's hardening NVIDIA's own helper, which is setuid, cannot make the device files: here it can."""
    for program in ("/usr/bin/nvidia-modprobe", "/usr/sbin/nvidia-modprobe"):
        if os.access(program, os.X_OK) and not os.path.exists("/dev/nvidia-uvm"):
            subprocess.run([program, "-c", "0", "-u"], check=False, timeout=60)


def is_starting(unit: str) -> bool:
    """A unit that waits to be restarted is "activating" as well, and starts nothing meanwhile."""
    argv = ["systemctl", "show", unit, "--property=ActiveState,SubState"]
    shown = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30).stdout
    return "ActiveState=activating" in shown and "SubState=auto-restart" not in shown


def take_cards(unit: str, cards: list[str]) -> str:
    """Enters the unit as the one that starts on these cards; else the unit that starts on one of them."""
    os.makedirs(RUN, mode=0o755, exist_ok=True)
    with open(f"{RUN}/lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for card in cards:
            other = read(f"{RUN}/card-{card}").strip()
            if other not in ("", unit) and is_starting(other):
                return other
        for card in cards:
            with open(f"{RUN}/card-{card}", "w", encoding="utf-8") as file:
                file.write(f"{unit}\n")
    return ""


def wait_for_cards(unit: str, cards: list[str]) -> None:
    said = ""
    while other := take_cards(unit, cards):
        if other != said:
            print(f"Waits for {other}, which starts on the same card.", flush=True)
            said = other
        time.sleep(2)


def prepare(unit: str, port: int, user: str, cards: list[str]) -> int:
    clear_group()
    if user:
        clear_segments(user)
    if cards:
        have_devices()
        wait_for_cards(unit, cards)
    inode = listener(port)
    if inode:
        print(f"Port {port} is taken by {owner(inode)}: a server there would load its model and never be heard.")
        return 1
    return 0


def is_healthy(url: str) -> bool:
    context = ssl._create_unverified_context() if url.startswith("https") else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, ValueError, urllib.error.URLError):
        return False


def end_starting_server(*_args: object) -> None:
    """Told to end while the server starts: systemd has sent it SIGTERM as well."""
    group = own_group()
    for _turn in range(GRACE * 5):
        if not group_members(group):
            sys.exit(0)
        time.sleep(0.2)
    print(f"Kills the server: it was still starting, and has not ended within {GRACE} s.")
    kill(group_members(group), signal.SIGKILL)
    sys.exit(0)


def wait(url: str) -> int:
    """systemd itself does not look at the server while this runs, so that one which ends must be noticed here."""
    signal.signal(signal.SIGTERM, end_starting_server)
    server = os.environ.get("MAINPID", "self")
    while not is_healthy(url):
        if not os.path.exists(f"/proc/{server}"):
            print("The server has ended before it served.")
            return 1
        time.sleep(1)
    return 0


def is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=LOOK):
            return True
    except OSError:
        return False


def address_towards(host: str, port: int) -> str:
    """This host's own address on the way to another one."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as found:
        found.connect((host, port))
        return str(found.getsockname()[0])


def follow(host: str, port: int, argv: list[str]) -> int:
    """The exit status of the server; 1 when it was ended because its leader is gone."""
    environment = {"VLLM_HOST_IP": address_towards(host, port), **os.environ}
    server = subprocess.Popen(argv, env=environment)
    signal.signal(signal.SIGTERM, lambda *_args: server.terminate())
    met, missed = False, 0
    while True:
        try:
            status = server.wait(timeout=LOOK)
            return status if status >= 0 else 128 - status
        except subprocess.TimeoutExpired:
            pass
        if is_open(host, port):
            met, missed = True, 0
        else:
            missed += 1
        if met and missed >= MISSED:
            print(f"Ends the server: its leader at {host}, port {port}, is gone.", flush=True)
            server.kill()
            server.wait()
            return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="gpufleet-vllm", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    before = commands.add_parser("prepare")
    before.add_argument("--unit", required=True)
    before.add_argument("--port", type=int, required=True)
    before.add_argument("--user", default="")
    before.add_argument("--cards", default="")
    after = commands.add_parser("wait")
    after.add_argument("--url", required=True)
    instead = commands.add_parser("follow")
    instead.add_argument("--leader", required=True)
    instead.add_argument("argv", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.command == "follow":
        host, _colon, port = asked.leader.rpartition(":")
        return follow(host.strip("[]"), int(port), asked.argv)
    if asked.command == "wait":
        return wait(asked.url)
    return prepare(asked.unit, asked.port, asked.user, [card for card in asked.cards.split(",") if card])


if __name__ == "__main__":
    sys.exit(main())
