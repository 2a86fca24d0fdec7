# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes of declared rows devices that can be compared: parents found, types resolved, back-ends chosen, or refused."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_config as config
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_mdevctl as mdevctl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_vendor as vendor
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nvml as nvml
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import UUID, Wanted, keyed, means
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import describe, is_called, nearest

SHOWN = 8  # parents or functions that a sentence lists


class Offers:
    """What a host offers, read when it is first asked for: a device that is as declared asks for nothing."""

    def __init__(self, system):
        self._system = system
        self._types, self._config, self._modes = {}, None, None
        self.functions = vendor.functions(system)
        self.parents = sysfs.parents(system)
        self.has_mdevctl = mdevctl.usable(system)

    def types(self, parent):
        """[(id, name)] that a parent knows. A function that has a type lists none: its sisters do."""
        if parent not in self._types:
            if parent in self.functions:
                card = sysfs.physical_function(self._system, parent)
                sisters = [name for name in vendor.virtual_functions(self._system, card) if name in self.functions]
                lists = [vendor.creatable(self._system, name) for name in [parent, *sisters]]
                found = {identity: listed[identity] for listed in reversed(lists) for identity in listed}
                self._types[parent] = sorted({**self.supported(card), **found}.items())
            else:
                self._types[parent] = [row[:2] for row in sysfs.types(self._system, parent)]
        return self._types[parent]

    def supported(self, card):
        """{id: name} by the vGPU manager's own table: a full card's functions do not list what they could take."""
        if self._config is None:
            self._config = config.parse(self._system.read(config.PATH))
        base = f"{vendor.FUNCTIONS}/{card}"
        words = [sysfs.value(self._system, f"{base}/{name}") or "" for name in ("device", "subsystem_device")]
        rows = config.of_card(self._config, *(config.digits(word) for word in words))
        return {identity: row[0] for identity, row in rows.items()}

    def modes(self):
        """{card: heterogeneous} as NVML tells it; asked only where devices of two sizes shall share a card."""
        if self._modes is None:
            rows = nvml.observe(self._system, [], True, 30)[1]
            self._modes = {row["address"]: (row.get("vgpu_host") or {}).get("heterogeneous") or {} for row in rows}
        return self._modes

    def has(self, parent):
        return parent in self.functions or parent in self.parents

    def functions_of(self, parent):
        """Where a card makes its devices instead: on its virtual functions."""
        return [name for name in vendor.virtual_functions(self._system, parent) if self.has(name)]


def listed(words):
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f"{', '.join(words[:SHOWN])}{more}" if words else "none"


def identity_refusals(rows, state, functions):
    """Sentences on rows that name no device, or one that another row names."""
    said, seen = [], set()
    for place, row in enumerate(rows, 1):
        key, uuid, parent = keyed(row, functions)
        if uuid and not UUID.fullmatch(uuid):
            said.append(f"Device {place} has the UUID {uuid}, which is none: 8-4-4-4-12 hexadecimal digits.")
        elif not key:
            said.append(
                f"Device {place} has no uuid. Give it one; the filter gpufleet.nvidia.mdev_uuid makes one of names."
                " Only a function of the vendor-specific interface has none: there its address, as parent, will do."
            )
        elif key in seen:
            said.append(f"Device {key} is declared twice; each is declared once, and a virtual function has one vGPU.")
        elif state in ("started", "defined") and not (parent and row.get("type")):
            said.append(f"Device {key} needs parent and type for state={state}.")
        seen.add(key)
    return said


def parent_refusal(key, parent, offers):
    """Why nothing can be made on a parent, or None."""
    if offers.has(parent):
        return None
    functions = offers.functions_of(parent)
    if functions:
        return f"Device {key}: {parent} makes its devices on its virtual functions. Take one of {listed(functions)}."
    known = sorted({*offers.parents, *offers.functions})
    if not known:
        return (
            f"Device {key}: no device of this host offers mediated devices or vGPU functions. The vGPU manager has to"
            " be loaded, and a card with SR-IOV needs its functions (sriov-manage -e); mdev_facts tells what is there."
        )
    return f"Device {key}: {parent} offers no mediated devices. Those that do: {listed(known)}."


def type_refusal(key, parent, asked, offers):
    """The sentence on a type that a parent does not know."""
    known = offers.types(parent)
    names = [name for pair in known for name in pair if name]
    near = nearest(asked, names) or [name for pair in known for name in pair[1:]]
    return f"Device {key}: {parent} knows no type {asked}. It offers, nearest first: {listed(near)}."


def back_end_of(want, offers, asked):
    """(back-end, refusal) of a device.

    :param asked: the option ``backend``
    """
    if want.parent in offers.functions or want.key in offers.functions:
        fits = asked in ("auto", "vendor_vfio")
        return "vendor_vfio", None if fits else f"Device {want.key} is a vGPU function: {asked} cannot make it."
    if asked == "vendor_vfio":
        return (
            asked,
            f"Device {want.key}: {want.parent} has not the vendor-specific interface; backend: auto finds which.",
        )
    sliced = describe(want.type, want.name)["slices"] is not None
    if asked == "mdevctl" and not offers.has_mdevctl:
        return (
            asked,
            "mdevctl, or its folder /etc/mdevctl.d, is not there. Install the package, or take backend: sysfs.",
        )
    if asked == "mdevctl" and sliced:
        return (
            asked,
            f"Device {want.key} is backed by MIG, which mdevctl cannot keep over a reboot. Take backend: auto.",
        )
    if asked == "auto":
        return ("mdevctl" if offers.has_mdevctl and not sliced else "sysfs"), None
    return asked, None


def resolve(row, state, before, offers, backend):
    """(Wanted, sentence): the sentence says why it cannot be, or is None."""
    key, uuid, parent = keyed(row, offers.functions)
    want = Wanted(key, uuid, parent, (row.get("type") or "").strip(), None, row.get("autostart", True), None, None)
    if row.get("parameters") is not None:
        want = want._replace(parameters={name: str(text) for name, text in row["parameters"].items()})
    running = before[key].running if key in before else None
    if state in ("started", "defined"):
        if running and running.parent == parent and means(want.type, running):
            want = want._replace(type=running.type, name=running.name)
        else:
            refusal = parent_refusal(key, parent, offers)
            if refusal:
                return want, refusal
            found = next((pair for pair in offers.types(parent) if is_called(want.type, *pair)), None)
            if not found:
                return want, type_refusal(key, parent, want.type, offers)
            want = want._replace(type=found[0], name=found[1])
    back_end, refusal = back_end_of(want, offers, backend)
    if not refusal and state == "defined" and back_end != "mdevctl":
        refusal = (
            f"Device {key} cannot be defined without being started: that needs mdevctl, and a type that it can keep."
            " Take state: started; the role vgpu_host restores it after a reboot."
        )
    return want._replace(back_end=back_end), refusal


def undeclared(before, wants, offers):
    """[Wanted] of the devices that nobody declares: those of NVIDIA's types, and those on declared parents."""
    declared, parents = {want.key for want in wants}, {want.parent for want in wants}
    surplus = []
    for key, device in before.items():
        rows = [row for row in [device.running, *device.definitions] if row]
        ours = any(row.type.startswith("nvidia-") or row.parent in parents for row in rows)
        if key not in declared and ours:
            back_end = "vendor_vfio" if key in offers.functions else "mdevctl" if offers.has_mdevctl else "sysfs"
            surplus.append(Wanted(key, None, rows[0].parent, rows[0].type, None, True, None, back_end))
    return surplus
