"""The lab's command line: ``python -m tests.lab up|ls|ssh|console|restart|down|status``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from tests.lab import host, image, inventory, keys, needs, profiles, transcript
from tests.lab.console import LabError, say, warn
from tests.lab.machine import disk
from tests.lab.machine.kinds import MACHINES
from tests.lab.places import CACHE, HOSTS, IMAGES, KEY, KINDS, RELEASES


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.lab", description="Debian hosts with simulated graphics cards.")
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make and start hosts; those that are up stay as they are")
    up.add_argument("name", nargs="?", help="the host's name (default: lab1)")
    up.add_argument("-i", "--inventory", help="bring up every host of this inventory that has lab_release")
    up.add_argument("-l", "--limit", help="only hosts of the inventory that match this pattern")
    up.add_argument("--kind", choices=KINDS, default=KINDS[0], help="a container, or a kind of machine")
    up.add_argument("--release", choices=RELEASES, help="default: bookworm; of a machine trixie")
    up.add_argument("--profile", choices=profiles.names(), help=f"its cards (default: {inventory.DEFAULT_PROFILE})")
    up.add_argument("--loaded", metavar="VERSION", help="simulate this driver version as loaded from the start")
    up.add_argument("--kernel", choices=image.KERNELS, default=image.KERNELS[0], help="which of the archive's kernels")
    up.add_argument("--address", help="its address in 127.0.0.0/8 (default: a free one)")
    ls = commands.add_parser("ls", help="list the hosts")
    ls.add_argument("--json", action="store_true", help="for programs")
    ssh = commands.add_parser("ssh", help="log in, or run a command")
    ssh.add_argument("name")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="-- command")
    console = commands.add_parser("console", help="show the last lines of what a host's console has shown")
    console.add_argument("name")
    console.add_argument("--lines", type=int, default=25)
    restart = commands.add_parser("restart", help="cut a host's power, as a reset button does, and start it again")
    restart.add_argument("name")
    down = commands.add_parser("down", help="take hosts down for good")
    down.add_argument("names", nargs="*", metavar="name")
    down.add_argument("--all", action="store_true")
    down.add_argument("-i", "--inventory", help="every host of this inventory that has lab_release")
    down.add_argument("-l", "--limit", help="only hosts of the inventory that match this pattern")
    commands.add_parser("status", help="say what the lab has here: hosts, images, caches")
    return top


def free_address(taken: set[str]) -> str:
    return next(a for a in (f"127.0.12.{n}" for n in range(1, 255)) if a not in taken)


def up(args: argparse.Namespace) -> int:
    if args.inventory and (args.name or args.address or args.loaded):
        raise LabError(
            "With -i the inventory says which hosts there are: leave the name and the options of one host out."
        )
    if args.inventory:
        wanted = inventory.hosts(args.inventory, args.limit)
    else:
        name = args.name or "lab1"
        known = {record.name: record.address for record in host.every()}
        address = args.address or known.get(name) or free_address(set(known.values()))
        release = args.release or (RELEASES[0] if args.kind == KINDS[0] else disk.RELEASES[0])
        profile = args.profile or inventory.default_profile(args.kind)
        wanted = [host.Wanted(name, release, profile, args.loaded, address, args.kernel, args.kind)]
    needs.provide(CACHE / "needs.log", machines=any(one.is_machine for one in wanted))
    keys.provide()
    for one in wanted:
        host.up(one)
    return 0


def ls(args: argparse.Namespace) -> int:
    records = [record.describe() for record in host.every()]
    if args.json:
        print(json.dumps(records, indent=1))
    elif not records:
        say("no hosts; `python -m tests.lab up` makes one")
    for record in [] if args.json else records:
        loaded = f"  loaded {record['loaded']}" if record["loaded"] else ""
        cards = f"{record['profile']:<16} {record['address']}{loaded}"
        if record["kind"] != KINDS[0]:
            cards = f"{MACHINES[record['kind']].title:<16} {record['address']}  console {record['console']}"
        print(f"{record['name']:<20} {record['state']:<8} {record['release']:<9} {cards}")
    return 0


def ssh(args: argparse.Namespace) -> int:
    record = host.read(args.name)
    if record is None or not record.running:
        raise LabError(f"{args.name} is not up; `python -m tests.lab ls` lists the hosts.")
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    argv = keys.ssh_command(record.address, words, terminal=not words and sys.stdin.isatty())
    os.execvp(argv[0], argv)


def console(args: argparse.Namespace) -> int:
    if host.read(args.name) is None:
        raise LabError(f"{args.name} is no host here; `python -m tests.lab ls` lists the hosts.")
    print("\n".join(transcript.tail(host.folder(args.name), args.lines)))
    return 0


def restart(args: argparse.Namespace) -> int:
    if not host.restart(args.name):
        raise LabError(f"{args.name} is no host here; `python -m tests.lab ls` lists the hosts.")
    say(f"{args.name}: restarted")
    return 0


def down(args: argparse.Namespace) -> int:
    if args.all:
        names = [*(record.name for record in host.every()), *host.leftovers()]
    elif args.inventory:
        names = [one.name for one in inventory.hosts(args.inventory, args.limit)]
    else:
        names = args.names
        if not names:
            raise LabError("Say which hosts: names, -i INVENTORY, or --all.")
    unknown = [name for name in names if not host.remove(name)]
    if unknown and args.names:
        raise LabError(f"No such host: {', '.join(unknown)}.")
    image.prune({IMAGES / record.image.rpartition("/")[2] for record in host.every()})
    return 0


def status(_args: argparse.Namespace) -> int:
    hosts = [record.name + ("" if record.running else " (stopped)") for record in host.every()]
    say(f"hosts: {', '.join(hosts) or 'none'}, under {HOSTS}")
    images = [f"{path.name} ({image.age_days(path):.1f} days)" for path in sorted(IMAGES.glob("*")) if path.is_dir()]
    say(f"images: {', '.join(images) or 'none'}, under {IMAGES}")
    missing = needs.missing_packages()
    say(f"key: {KEY if KEY.exists() else 'none yet'}; packages missing here: {', '.join(missing) or 'none'}")
    return 0


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        if args.command in ("up", "down"):
            needs.refuse_unless_possible()
        commands = {
            "up": up,
            "ls": ls,
            "ssh": ssh,
            "console": console,
            "restart": restart,
            "down": down,
            "status": status,
        }
        return commands[args.command](args)
    except LabError as exc:
        warn(str(exc))
        return 1
    except OSError as exc:
        warn(f"The machine refused: {exc}.")
        return 1
    except KeyboardInterrupt:
        warn("interrupted; what was begun has been taken back")
        return 130


if __name__ == "__main__":
    sys.exit(main())
