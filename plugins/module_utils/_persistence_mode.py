# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel module's own persistence mode, read and set through NVML in a process of its own: such a call can hang."""

from __future__ import annotations

import json
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# address: of the card; uuid; mode: True on, False off, None: the card has no such mode
Gpu = namedtuple("Gpu", "index address uuid mode")
Step = namedtuple("Step", "address says")

# argv: nothing to read alone; on|off and PCI addresses to set. Prints {"gpus": […], "refused": {…}} or {"error": …}.
PROGRAM = r"""
import json, sys
sys.path.append("/opt/gpufleet/python")
def say(**answer):
    print(json.dumps(answer)); sys.exit(0)
try:
    import pynvml as n
except ImportError:
    say(error="nvidia-ml-py is not installed for " + sys.executable)
def text(value):
    return value.decode() if isinstance(value, bytes) else value
try:
    n.nvmlInit()
    handles = [n.nvmlDeviceGetHandleByIndex(number) for number in range(n.nvmlDeviceGetCount())]
    rows = [(h, text(n.nvmlDeviceGetPciInfo(h).busId).lower()[-12:], text(n.nvmlDeviceGetUUID(h))) for h in handles]
except n.NVMLError as error:
    say(error="NVML says: " + str(error))
refused = {}
for handle, address, uuid in rows:
    if address in sys.argv[2:]:
        try:
            n.nvmlDeviceSetPersistenceMode(handle, 1 if sys.argv[1] == "on" else 0)
        except n.NVMLError as error:
            refused[address] = str(error)
gpus = []
for index, (handle, address, uuid) in enumerate(rows):
    try:
        mode = bool(n.nvmlDeviceGetPersistenceMode(handle))
    except n.NVMLError:
        mode = None
    gpus.append({"index": index, "address": address, "uuid": uuid, "mode": mode})
say(gpus=gpus, refused=refused)
"""


def parse_answer(text):
    """([Gpu], {address: why it was refused}) from what the program printed.

    :raises NvidiaError: when it did not get as far as the GPUs
    """
    try:
        answer = json.loads(text or "")
        error = answer.get("error")
        if error is None:
            return [Gpu(*(row[field] for field in Gpu._fields)) for row in answer["gpus"]], dict(answer["refused"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NvidiaError(f"The program that asks NVML answered with {text!r}, which makes no sense.") from None
    raise NvidiaError(
        f"Persistence mode cannot be reached: {error}. Load the driver and install nvidia-ml-py; the role nvidia_driver"
        " does both."
    )


def chosen(gpus, names):
    """Those of *gpus* that *names* (indexes, PCI addresses or UUIDs) name; all of them when there are no names.

    :raises NvidiaError: for a name that no GPU has
    """
    by_name = {str(name).lower(): gpu for gpu in gpus for name in (gpu.index, gpu.address, gpu.uuid)}
    unknown = [name for name in names if str(name).lower() not in by_name]
    if unknown:
        known = ", ".join(f"{gpu.index} ({gpu.address})" for gpu in gpus) or "none"
        raise NvidiaError(f"There is no GPU {', '.join(map(str, unknown))} on this host; it has {known}.")
    picked = {by_name[str(name).lower()].address for name in names}
    return [gpu for gpu in gpus if not names or gpu.address in picked]


def plan(gpus, state):
    """[Step] for the GPUs whose mode is not *state* (enabled or disabled); one that has no such mode is left alone."""
    want = state == "enabled"
    word = "on" if want else "off"
    return [
        Step(gpu.address, f"Turn persistence mode {word} for GPU {gpu.index} ({gpu.address})")
        for gpu in gpus
        if gpu.mode is not None and gpu.mode != want
    ]


def modes(gpus):
    """{address: enabled|disabled|unsupported}"""
    names = {True: "enabled", False: "disabled", None: "unsupported"}
    return {gpu.address: names[gpu.mode] for gpu in gpus}


def ensure(params, system, *, apply, python):
    """The result of the module `persistence_mode`; see its RETURN.

    :param python: path of the Python that runs the program
    """

    def ask(*argv):
        result = system.run([python, "-", *argv], timeout=params["timeout"], data=PROGRAM)
        if result.rc != 0:
            raise NvidiaError(f"The program that asks NVML ended with {result.rc}: {result.err.strip()[-300:]}")
        return parse_answer(result.out)

    seen, _refused = ask()
    steps = plan(chosen(seen, params["gpus"]), params["state"])
    before = modes(seen)
    after = {**before, **{step.address: params["state"] for step in steps}}
    if apply and steps:
        gpus, refused = ask("on" if params["state"] == "enabled" else "off", *(step.address for step in steps))
        verify(gpus, refused, after)
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "modes": after,
        "diff": {"before": text_of(before), "after": text_of(after)},
    }


def text_of(named_modes):
    return "".join(f"{address} {mode}\n" for address, mode in named_modes.items())


def verify(gpus, refused, after):
    """Raises NvidiaError when the GPUs are not in the modes *after*: drivers lie."""
    wrong = [address for address, mode in modes(gpus).items() if after.get(address) != mode]
    if wrong:
        why = "; ".join(f"{name}: {refused.get(name, 'the driver agreed, but did not do it')}" for name in wrong)
        raise NvidiaError(
            f"Persistence mode could not be set ({why}). Setting it needs root, on the machine that the GPU belongs to."
        )
