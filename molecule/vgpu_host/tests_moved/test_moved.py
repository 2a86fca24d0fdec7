"""Whatever the record of role vgpu_host keeps is moved at once, named, and mended by one run; the rest is left."""

from __future__ import annotations

from tests.drift.fleet import Fleet, move
from tests.drift.seen import is_file, kept, named, places, records, same, texts

FLEET = Fleet("vgpu_host")
UNIT = "gpufleet-vgpu-restore.service"
PROGRAM = "/usr/local/lib/gpufleet/vgpu-restore/machine.py"
SHARED = "/usr/local/lib/gpufleet/vgpu-restore/vgpu_cards.py"
DROP_IN = "/etc/default/grub.d/gpufleet-iommu.cfg"
BUS, CARD = "/sys/bus/mdev/devices", "/sys/class/mdev_bus/mtty/mdev_supported_types"
FOREIGN = "f0000000-6f0e-4a53-9c3e-1d5a5d6c0099"
DEVICES = "mdev.devices.*."


def made(uuid: str, kind: str) -> str:
    return f"echo {uuid} > {CARD}/{kind}/create"


def test_all_that_moves_is_named_and_mended_and_the_rest_is_left(host):
    before = records(host)
    gone, forgotten, changed, untouched = (row["uuid"] for row in host.ansible.get_variables()["desks"])
    move(host, "facts")
    move(host, "edited", PROGRAM, SHARED)
    moves = [
        f"chgrp nogroup {SHARED}",
        f"chown nobody:nogroup {PROGRAM}",
        f"chmod a+w {PROGRAM}",
        f"rm {DROP_IN}",
        "update-grub",
        f"mdevctl stop --uuid {gone}",
        f"mdevctl undefine --uuid {forgotten}",
        f"echo 1 > {BUS}/{changed}/remove",
        made(changed, "mtty-2"),
        made(FOREIGN, "mtty-1"),
    ]
    host.check_output(" && ".join(moves))
    left = [f"{BUS}/{uuid}" for uuid in (forgotten, untouched, FOREIGN)]
    looks = places(host, *left)
    rc, report = FLEET.drift()
    assert rc != 0
    assert named(report, "file") == kept(before, "files", only=is_file) != set()
    assert named(report, "unit") == {("vgpu_host", UNIT)}
    assert named(report, "fact") == kept(before, "facts")
    for words in (
        f"{UNIT.removesuffix('.service')} stopped, disabled",
        f"{DROP_IN} removed",
        f"{PROGRAM} mode 0644 → 0666, owner ",
        f"{SHARED} owner root:root → root:nogroup",
    ):
        assert any(text.startswith(words) for text in texts(report)), texts(report)
    seen = {row["name"].removeprefix(DEVICES): row["is"] for row in report["drift"]}
    devices = {
        uuid: {key: seen[key][at] for key in seen if key in ("active", "defined", "type")}
        for at, uuid in enumerate(seen["uuid"])
    }
    was = before["vgpu_host"]["managed"]["facts"]
    types = dict(zip(was[f"{DEVICES}uuid"], was[f"{DEVICES}type"], strict=True))
    assert (devices[gone]["active"], devices[gone]["defined"]) == (False, True)
    assert (devices[forgotten]["active"], devices[forgotten]["defined"]) == (True, False)
    assert devices[changed]["type"] != types[changed] and devices[untouched]["type"] == types[untouched]
    assert devices[FOREIGN]["active"]
    FLEET.mend()
    facts = {name for _role, name in kept(before, "facts") if name.startswith(DEVICES)}
    same(host, before, but=facts)
    now = records(host)["vgpu_host"]["managed"]["facts"]
    at = now[f"{DEVICES}uuid"].index(FOREIGN)
    assert {name: now[name][:at] + now[name][at + 1 :] for name in facts} == {name: was[name] for name in facts}
    assert places(host, *left) == looks
    FLEET.is_left_alone("mdev1")
    host.check_output(f"echo 1 > {BUS}/{FOREIGN}/remove")
