# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a card for each slot: what a host has stays where it is, and the rest goes where the rules allow it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_cards import Card, Kind, Present
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_requests import Request
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_rules import against, most
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_uuid import mdev_uuid


@dataclass(frozen=True)
class Slot:
    """One device of a request. present: the device that is there for it, of another type where it is to be replaced."""

    request: Request
    index: int
    present: Present | None = None

    def uuid(self, host: str) -> str:
        return mdev_uuid(self.request.name, host, self.index)


@dataclass
class Table:
    """A card while it is being filled. mode: equal, mixed, mig or pool; kept: of devices that are there and stay.

    waiting: those of them that do not run; fresh: whether nothing leaves it, so that what is available now counts.
    """

    card: Card
    mode: str
    kept: list[Kind] = field(default_factory=list)
    waiting: list[Kind] = field(default_factory=list)
    added: list[Kind] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    changed: bool = False
    running: bool = False
    fresh: bool = True

    def against(self, kind: Kind) -> str | None:
        if self.mode == "equal" and kind.slices is not None and self.can_slice:
            return against(self.card, [], [kind], "mig")
        if self.mode == "pool":
            return against(self.card, self.kept, [*self.waiting, *self.added, kind], self.mode)
        return against(self.card, self.kept, [*self.added, kind], self.mode) or self.against_now(kind)

    def against_now(self, kind: Kind) -> str | None:
        """Why the driver would refuse one more right now, or None; only where it speaks of the mode that is planned."""
        card, count = self.card, len([other for other in [*self.waiting, *self.added] if other.id == kind.id]) + 1
        speaks = self.fresh and not self.changed and self.mode == ("mixed" if card.mixed else "equal")
        ready = card.framework != "none" and (
            not card.on_functions or card.enabled >= len(self.kept) + len(self.added) + 1
        )
        if not (speaks and ready and kind.available is not None) or count <= kind.available:
            return None
        return f"the driver offers {kind.available} more of {kind.name}, less than the card could have"

    @property
    def can_slice(self) -> bool:
        """Whether it could be put into MIG mode: it has the mode, and nothing on it."""
        return self.card.mig is False and not self.kept and not self.added

    def fill(self) -> Fraction:
        """How full it is, by the devices that it could have of the last type."""
        kinds = [*self.kept, *self.added]
        return sum((Fraction(1, most(self.card, kind) or 1) for kind in kinds), Fraction())

    def put(self, slot: Slot, kind: Kind) -> None:
        if self.mode == "equal" and kind.slices is not None:
            self.mode, self.changed = "mig", True
        self.added.append(kind)
        self.names.append(slot.request.name)


def mode_of(card: Card) -> str:
    if not card.nvidia:
        return "pool"
    return "mig" if card.mig else "mixed" if card.mixed else "equal"


def claim(requests: list[Request], cards: list[Card]) -> list[Slot]:
    """A slot for each device that is asked for, with the one that is there for it: by UUID, else one of the type."""
    here = [(card, present) for card in cards for present in card.present]
    by_uuid = {(present.host, present.uuid): (card, present) for card, present in here if present.uuid}
    slots, taken = [], set()
    for request in requests:
        for index in range(request.count):
            found = None
            for host in sorted({card.host for card in cards}):
                card, present = by_uuid.get((host, mdev_uuid(request.name, host, index)), (None, None))
                if card and present and request.allows_host(host) and present not in taken:
                    found = found or present
            if found:
                taken.add(found)
            slots.append(Slot(request, index, found))
    return adopt(slots, here, taken)


def adopt(slots: list[Slot], here: list[tuple[Card, Present]], taken: set[Present]) -> list[Slot]:
    """Slots without a device take one of their type that nobody has; where they keep apart, one of each place."""
    places = Counter((slot.request.name, place(slot.request, slot.present)) for slot in slots if slot.present)
    adopted = []
    for slot in slots:
        found = slot.present
        for card, present in here if found is None else []:
            if present in taken or not slot.request.allows(card) or not slot.request.takes(present.kind):
                continue
            if slot.request.apart and places[(slot.request.name, place(slot.request, present))]:
                continue
            found = present
            taken.add(present)
            places[(slot.request.name, place(slot.request, present))] += 1
            break
        adopted.append(Slot(slot.request, slot.index, found))
    return adopted


def place(request: Request, present: Present | None) -> tuple[str, str] | None:
    """What two devices of a request must not share: the host, or the card."""
    return (present.host, "" if request.apart == "host" else present.card) if present else None


def candidates(slot: Slot, tables: list[Table]) -> list[tuple[Table, Kind]]:
    return [
        (table, kind)
        for table in tables
        if slot.request.allows(table.card)
        for kind in table.card.kinds
        if slot.request.takes(kind)
    ]


def too_near(slot: Slot, table: Table, tables: list[Table]) -> bool:
    """Whether the request wants its devices apart and has one there."""
    if slot.request.apart == "host":
        return any(slot.request.name in other.names for other in tables if other.card.host == table.card.host)
    return slot.request.apart == "card" and slot.request.name in table.names


def order(slot: Slot, table: Table, tables: list[Table], policy: str) -> tuple[object, ...]:
    """Which card comes first: the one that the device is on; then the fullest, or the emptiest host and card."""
    own = slot.present is not None and (slot.present.host, slot.present.card) == table.card.key
    empty = not (table.kept or table.added)
    if (slot.request.policy or policy) == "spread":
        siblings = sum(other.names.count(slot.request.name) for other in tables if other.card.host == table.card.host)
        mine = table.names.count(slot.request.name)
        return (not own, siblings, mine, table.fill(), table.card.key)
    return (not own, empty, -table.fill(), table.card.key)


def seat(slot: Slot, tables: list[Table], policy: str) -> tuple[Table, Kind] | None:
    """Puts a slot on the first card that takes it."""
    ways = sorted(candidates(slot, tables), key=lambda way: (*order(slot, way[0], tables, policy), way[1].id))
    for table, kind in ways:
        if not too_near(slot, table, tables) and table.against(kind) is None:
            table.put(slot, kind)
            return table, kind
    return None


def size_first(slot: Slot, tables: list[Table]) -> tuple[object, ...]:
    sizes = [kind.size or 0 for _table, kind in candidates(slot, tables)]
    return (slot.present is None, -max(sizes, default=0), slot.request.name, slot.index)


def widen(tables: list[Table]) -> None:
    """Lets cards take mixed sizes that could and have nothing running: the mode can be set on such alone."""
    for table in tables:
        fits = against(table.card, table.kept, table.added, "mixed") is None
        if table.mode == "equal" and table.card.sizes and not table.running and fits:
            table.mode = "mixed"


def settle(
    slots: list[Slot], tables: list[Table], policy: str, mode: str
) -> tuple[list[tuple[Slot, Table, Kind]], list[Slot]]:
    """(seated, unseated); *tables* are filled."""
    seated, left = [], sorted(slots, key=lambda slot: size_first(slot, tables))
    for wide in {"equal": (False,), "mixed": (True,), "auto": (False, True)}[mode]:
        if wide and left:
            widen(tables)
        rest = []
        for slot in left:
            found = seat(slot, tables, policy)
            if found:
                seated.append((slot, *found))
            else:
                rest.append(slot)
        left = rest
    return seated, left
