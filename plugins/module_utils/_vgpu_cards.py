# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a card of a vGPU host forgets at every boot, and its virtual GPUs need: functions, mixed sizes, MIG.

The same file lies on hosts beside the program that restores all this at boot. So it imports nothing of Ansible, nor of
this collection.
"""

from __future__ import annotations

import re
from collections import namedtuple

PCI = "/sys/bus/pci/devices"
BUS = "/sys/class/mdev_bus"
MEDIATED = "/sys/bus/mdev/devices"
MANAGE = "/usr/lib/nvidia/sriov-manage"
PATIENCE = 120  # seconds that one command may take
MIG_WORDS = {"Enabled": True, "Disabled": False}
HETEROGENEOUS = re.compile(r"vGPU Heterogeneous Mode\s*:\s*(\w+)")
INSTANCE = re.compile(r"MIG\s+(\d+g\.\d+gb(?:\+\w+(?:\.\w+)*)?)")

# functions: how many are on; mixed, mig: whether the mode is on, None where the card has none or nobody tells
# instances: {name of the profile: how many GPU instances of it there are}; busy: whether it carries virtual GPUs
Card = namedtuple("Card", "functions mixed mig instances busy")
Step = namedtuple("Step", "kind address argv says")


class Refused(Exception):
    """A sentence on what cannot be done."""


def number(text):
    word = (text or "").strip()
    return int(word) if word.isdigit() else 0


def last(path):
    return path.rstrip("/").rsplit("/", 1)[-1] if path else None


def functions(system, address):
    """The addresses of a card's virtual functions."""
    names = [name for name in system.entries(f"{PCI}/{address}") if name.startswith("virtfn")]
    return [last(system.link(f"{PCI}/{address}/{name}")) for name in names]


def is_busy(system, address):
    """Whether a card carries virtual GPUs: what changes its modes would take them away."""
    parents = [address, *functions(system, address)]
    chosen = [number(system.read(f"{PCI}/{name}/nvidia/current_vgpu_type")) for name in parents]
    folders = [f"{system.real(f'{BUS}/{name}')}/" for name in parents if system.exists(f"{BUS}/{name}")]
    made = [system.real(f"{MEDIATED}/{uuid}") for uuid in system.entries(MEDIATED)] if folders else []
    return any(chosen) or any(path.startswith(folder) for path in made for folder in folders)


def ask(system, *words):
    """What nvidia-smi says, or an empty text."""
    told = system.run(["nvidia-smi", *words], timeout=PATIENCE)
    return told.out if told.rc == 0 else ""


def observe(system, want):
    """The Card as it is; nvidia-smi is asked for nothing that is not wanted.

    :param want: ``{address, functions, heterogeneous, mig, instances}``
    """
    address = want["address"]
    mixed = mig = None
    instances: dict = {}
    if want.get("heterogeneous"):
        found = HETEROGENEOUS.search(ask(system, "-q", "-i", address))
        mixed = {"Enabled": True, "Disabled": False}.get(found[1]) if found else None
    if want.get("mig"):
        mig = MIG_WORDS.get(ask(system, "-i", address, "--query-gpu=mig.mode.current", "--format=csv,noheader").strip())
        for name in INSTANCE.findall(ask(system, "mig", "-i", address, "-lgi")) if want.get("instances") else []:
            instances[name] = instances.get(name, 0) + 1
    enabled = number(system.read(f"{PCI}/{address}/sriov_numvfs"))
    return Card(enabled, mixed, mig, instances, is_busy(system, address))


def missing(want, card):
    """{profile: how many GPU instances of it are to be made}."""
    asked = want.get("instances") or {}
    return {name: asked[name] - card.instances.get(name, 0) for name in sorted(asked)
            if asked[name] > card.instances.get(name, 0)}  # fmt: skip


def plan(want, card):
    """[Step] in the order in which the driver takes them.

    :raises Refused: where virtual GPUs are on a card whose functions or modes would have to change
    """
    address, steps = want["address"], []
    if want.get("functions") and card.functions < want["functions"]:
        says = f"Enable the virtual functions of {address}"
        steps.append(Step("sriov", address, [MANAGE, "-e", address], says))
    if want.get("mig") and not card.mig:
        steps.append(Step("mig", address, ["nvidia-smi", "-i", address, "-mig", "1"], f"Put {address} into MIG mode"))
    if want.get("heterogeneous") and not card.mixed:
        says = f"Put {address} into heterogeneous mode"
        steps.append(Step("heterogeneous", address, ["nvidia-smi", "vgpu", "-i", address, "-shm", "1"], says))
    if steps and card.busy:
        raise Refused(
            f"{steps[0].says}: virtual GPUs are on the card, and this would take it from under them. Stop the virtual"
            " machines that use it, remove its virtual GPUs (state: absent of gpufleet.nvidia.mdev), and run again."
        )
    for name, count in missing(want, card).items():
        words = ["nvidia-smi", "mig", "-i", address, "-cgi", ",".join([name] * count)]
        steps.append(Step("instances", address, words, f"Make {count} GPU instances {name} on {address}"))
    return steps


def predict(want, card, steps):
    """The Card as it shall be after the steps."""
    kinds = {step.kind for step in steps}
    asked = want.get("instances") or {}
    return card._replace(
        functions=max(card.functions, want["functions"]) if "sriov" in kinds else card.functions,
        mixed=True if "heterogeneous" in kinds else card.mixed,
        mig=True if "mig" in kinds else card.mig,
        instances={**card.instances, **asked} if "instances" in kinds else card.instances,
    )


def carry_out(system, step, wait, tries=5):
    """Takes one step. The driver often needs a moment (``Cannot obtain unbindLock``), so it is tried again.

    :param wait: called with seconds between two tries
    :raises Refused: with what the program said last
    """
    told = system.run(step.argv, timeout=PATIENCE)
    for turn in range(1, tries):
        if told.rc in (0, 127):
            break
        wait(2 * turn)
        told = system.run(step.argv, timeout=PATIENCE)
    if told.rc == 0:
        return
    words = (told.err.strip() or told.out.strip() or f"it ended with {told.rc}").splitlines()[-1]
    raise Refused(f"{step.says}: {' '.join(step.argv)} failed: {words}")


def wanted(row):
    """A declared row with all keys; an address is that of sysfs."""
    return {
        "address": row["address"].strip().lower(),
        "functions": row.get("functions") or 0,
        "heterogeneous": bool(row.get("heterogeneous")),
        "mig": bool(row.get("mig") or row.get("instances")),
        "instances": {name: int(count) for name, count in (row.get("instances") or {}).items()},
    }


def shown(card):
    """A Card as the diff has it."""
    return {"functions": card.functions, "heterogeneous": card.mixed, "mig": card.mig, "instances": card.instances}


def ensure(params, system, *, apply, wait):
    """The result of the module `vgpu_cards`; see its RETURN.

    :param wait: called with seconds between two tries
    :raises Refused: before the first change, where a card is not there or carries virtual GPUs
    """
    wants = [wanted(row) for row in params["cards"]]
    gone = [want["address"] for want in wants if not system.exists(f"{PCI}/{want['address']}")]
    if gone:
        raise Refused(
            f"Nothing was changed. No card is at {', '.join(gone)}: look with lspci, and correct the address."
        )
    before = {want["address"]: observe(system, want) for want in wants}
    steps = {want["address"]: plan(want, before[want["address"]]) for want in wants}
    after = {want["address"]: predict(want, before[want["address"]], steps[want["address"]]) for want in wants}
    if apply:
        for want in wants:
            for step in steps[want["address"]]:
                carry_out(system, step, wait)
        wrong = [want["address"] for want in wants if steps[want["address"]] and plan(want, observe(system, want))]
        if wrong:
            raise Refused(
                f"Every command ended well, but {', '.join(wrong)} is not as it shall be: nvidia-smi -q shows its"
                " modes, and a mode that is pending comes with a reset of the card, or a reboot."
            )
    return {
        "changed": any(steps.values()),
        "steps": [step.says for want in wants for step in steps[want["address"]]],
        "diff": {
            "before": {address: shown(card) for address, card in before.items()},
            "after": {address: shown(card) for address, card in after.items()},
        },
    }
