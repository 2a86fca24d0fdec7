# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading and unloading NVIDIA's kernel modules, and who keeps them from being unloaded."""

from __future__ import annotations

import re
import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# In the order in which they can be removed: each is used by none of those after it.
FAMILY = ("nvidia_drm", "nvidia_modeset", "nvidia_peermem", "nvidia_uvm", "nvidia")

# devices: paths below /dev; unit: the systemd unit that it runs in, or None
Process = namedtuple("Process", "pid command devices unit")
# loaded: {module: its holders}; version: of the loaded module or None; processes: [Process]; active: units
Before = namedtuple("Before", "loaded version processes active")
# kind: stop | unload | load | start
Step = namedtuple("Step", "kind says data")

TRUST = "Secure Boot does not trust the key that the module is signed with; enrol it (MOK) first."
REASONS = (
    ("Key was rejected", TRUST),
    ("Required key not available", TRUST),
    (
        "No such device",
        "The module found no card that it can drive: there is none, nouveau or vfio-pci has it, the firmware gave it "
        "no memory (Above 4G decoding), or this flavour does not support it; see the kernel log.",
    ),
    ("not found", "The running kernel has no such module; build it for this kernel, or boot one that has it."),
    ("Exec format error", "The module was built for another kernel or with another compiler."),
)


def observe(system, units):
    """The loaded modules of the family, who uses the devices, and which of the units run, as Before."""
    loaded = {
        name: system.entries(f"/sys/module/{name}/holders")
        for name in FAMILY
        if system.exists(f"/sys/module/{name}/refcnt") or system.exists(f"/sys/module/{name}/holders")
    }
    version = (system.read("/sys/module/nvidia/version") or "").strip() or None
    return Before(loaded, version, device_users(system), [unit for unit in units if is_active(system, unit)])


def is_active(system, unit):
    """True when systemd says that the unit runs or starts; False for an unknown one and where there is no systemd."""
    return system.run(["systemctl", "is-active", unit]).out.strip() in ("active", "activating", "reloading")


def device_users(system):
    """[Process] with one of NVIDIA's device files open, from /proc; no program such as fuser is needed."""
    users = []
    for pid in system.entries("/proc"):
        if not pid.isdigit():
            continue
        links = {system.link(f"/proc/{pid}/fd/{fd}") for fd in system.entries(f"/proc/{pid}/fd")}
        devices = sorted(link for link in links if link and link.startswith("/dev/nvidia"))
        if devices:
            command = (system.read(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()
            users.append(Process(int(pid), command, devices, unit_of(system.read(f"/proc/{pid}/cgroup") or "")))
    return sorted(users)


def unit_of(cgroup):
    """The systemd unit in a process's cgroup file, such as `nvidia-persistenced.service`, or None."""
    match = re.search(r"/([^/\n]+\.service)(/|$)", cgroup, re.M)
    return match.group(1) if match else None


def full_name(unit):
    return unit if "." in unit else f"{unit}.service"


def to_unload(loaded, asked):
    """The asked modules and those of the family that use them, in the order in which they can go."""
    names = {name for name in asked if name in loaded}
    while True:
        more = {holder for name in names for holder in loaded[name] if holder in loaded} - names
        if not more:
            return [name for name in FAMILY if name in names]
        names |= more


def blockers(before, names, units):
    """Sentences about what keeps the modules in use beside the units that will be stopped."""
    stopped = {full_name(unit) for unit in units}
    foreign = sorted({holder for name in names for holder in before.loaded[name] if holder not in FAMILY})
    sentences = [f"the module {holder} uses it" for holder in foreign]
    for process in before.processes:
        if process.unit not in stopped:
            where = f" of {process.unit}" if process.unit else ""
            sentences.append(
                f"process {process.pid} ({process.command or 'unknown'}){where} has {', '.join(process.devices)} open"
            )
    return sentences


def plan(before, state, asked, units, version=None):
    """[Step] from what is loaded to the state.

    :raises NvidiaError: when something that is not to be stopped holds the modules; names all of it
    """
    load = [name for name in reversed(FAMILY) if name in asked]
    missing = [name for name in load if name not in before.loaded]
    names = to_unload(before.loaded, asked)
    current = version is not None and before.version == version
    if state == "loaded" or (state == "reloaded" and (current or not names)):
        return [Step("load", f"Load {name}", name) for name in missing]
    if not names:
        return []
    sentences = blockers(before, names, units)
    if sentences:
        raise NvidiaError(
            f"{', '.join(names)} cannot be unloaded: {'; '.join(sentences)}. Nothing was changed. End these, name "
            "their units in stop_units, or reboot."
        )
    steps = [Step("stop", f"Stop {unit}", unit) for unit in before.active]
    steps.append(Step("unload", f"Unload {', '.join(names)}", names))
    if state == "reloaded":
        again = [name for name in reversed(FAMILY) if name in names or name in asked]
        steps += [Step("load", f"Load {name}", name) for name in again]
        steps += [Step("start", f"Start {unit}", unit) for unit in reversed(before.active)]
    return steps


def predict(before, steps):
    """{module: loaded | unloaded} once the steps are done."""
    after = {name: "loaded" if name in before.loaded else "unloaded" for name in FAMILY}
    for step in steps:
        if step.kind == "unload":
            after.update(dict.fromkeys(step.data, "unloaded"))
        elif step.kind == "load":
            after[step.data] = "loaded"
    return after


def reason(text):
    """What modprobe's message means and what to do about it."""
    return next((why for part, why in REASONS if part in text), "See the kernel log (journalctl -k, dmesg).")


def carry_out(system, before, steps, clock=time.monotonic, sleep=time.sleep):
    """Does the steps; whatever fails, the units that were stopped are started again."""
    try:
        for step in steps:
            if step.kind in ("stop", "start"):
                systemctl(system, step.kind, step.data)
            elif step.kind == "load":
                result = system.run(["modprobe", step.data.replace("_", "-")], timeout=120)
                if result.rc != 0:
                    said = result.err.strip()
                    raise NvidiaError(f"The module {step.data} could not be loaded: {said} {reason(said)}")
            else:
                wait_until_free(system, clock, sleep)
                result = system.run(["rmmod", *step.data], timeout=120)
                if result.rc != 0:
                    raise NvidiaError(f"{', '.join(step.data)} could not be unloaded: {result.err.strip()}")
    except NvidiaError as exc:
        if not before.active:
            raise
        for unit in reversed(before.active):
            system.run(["systemctl", "start", unit], timeout=120)
        raise NvidiaError(f"{exc} Started again: {', '.join(before.active)}.") from exc


def systemctl(system, verb, unit):
    result = system.run(["systemctl", verb, unit], timeout=120)
    if result.rc != 0:
        raise NvidiaError(f"systemctl {verb} {unit} failed: {result.err.strip()}")


def wait_until_free(system, clock, sleep, seconds=15):
    """Waits for the stopped units' processes to let go of the devices.

    :raises NvidiaError: names who still holds them
    """
    begin = clock()
    while True:
        users = device_users(system)
        if not users:
            return
        if clock() - begin >= seconds:
            who = ", ".join(f"{user.pid} ({user.command})" for user in users)
            raise NvidiaError(f"After the units were stopped {who} still had a device open for {seconds} s.")
        sleep(0.5)


def ensure(params, system, *, apply):
    """The result of the module `driver_modules`; see its RETURN."""
    asked = [name.replace("-", "_") for name in params["modules"]]
    strange = [name for name in asked if name not in FAMILY]
    if strange:
        raise NvidiaError(f"{', '.join(strange)} is not one of NVIDIA's modules: {', '.join(reversed(FAMILY))}.")
    before = observe(system, params["stop_units"])
    steps = plan(before, params["state"], asked, params["stop_units"], params["version"])
    after = predict(before, steps)
    if apply and steps:
        carry_out(system, before, steps)
        now = predict(observe(system, []), [])
        wrong = [name for name in FAMILY if now[name] != after[name] and name in asked]
        if wrong:
            raise NvidiaError(
                f"The commands ended well but these modules are not {params['state']}: {', '.join(wrong)}."
            )
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {"before": predict(before, []), "after": after},
        "users": [dict(user._asdict()) for user in before.processes],
    }
