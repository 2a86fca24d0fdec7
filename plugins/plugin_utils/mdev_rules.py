# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a card can have at a time, as rules: vGPUs of one size, of mixed sizes, behind MIG, or a driver's own pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import mdev_mig
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_cards import Card, Kind


def most(card: Card, kind: Kind) -> int | None:
    """How many of a type a card has at most when it has no other; None where nobody tells."""
    if kind.most is not None:
        return kind.most
    return card.memory // kind.size if card.memory and kind.size else kind.available


def share(card: Card, kind: Kind) -> Fraction:
    """The part of a card that a vGPU takes in mixed-size mode: half, a quarter, an eighth.

    Three that fit an L40S alone take a half each, twelve an eighth: the documented maxima of this mode.
    """
    count = most(card, kind) or 1
    return Fraction(1, 1 << (count.bit_length() - 1))


def counted(kinds: Sequence[Kind]) -> str:
    """``2 x GRID P40-8Q and 1 x GRID P40-8A``"""
    return listed([f"{count} x {name}" for name, count in sorted(Counter(kind.name for kind in kinds).items())])


def against_equal(card: Card, kinds: Sequence[Kind]) -> str | None:
    """Why a card cannot have these at a time with vGPUs of one size, or None."""
    if len({kind.size for kind in kinds}) > 1:
        return f"it would have vGPUs of different sizes ({counted(kinds)}), and it takes those of one size at a time"
    if len({kind.id for kind in kinds}) > 1 and not card.series:
        return f"it would have {counted(kinds)}, and with this driver all vGPUs of a card are of one type"
    for kind in kinds:
        limit = most(card, kind)
        if limit is None:
            return f"nobody tells how many {kind.name} it takes"
        if len(kinds) > limit:
            return f"it takes {limit} x {kind.name} at most"
    return None


def against_mixed(card: Card, kinds: Sequence[Kind]) -> str | None:
    """The same in mixed-size mode."""
    if any(most(card, kind) is None for kind in kinds):
        return f"nobody tells how many of {counted(kinds)} it takes"
    if sum(share(card, kind) for kind in kinds) > 1:
        return f"in mixed-size mode it has no room for {counted(kinds)}"
    return None


def against_mig(card: Card, kinds: Sequence[Kind]) -> str | None:
    """The same with MIG."""
    if any(kind.slices is None for kind in kinds):
        return f"it is in MIG mode, and of {counted(kinds)} not all are types for MIG"
    return None if mdev_mig.fits(card, kinds) else f"its slices have no room for GPU instances for {counted(kinds)}"


def against_pool(kept: Sequence[Kind], added: Sequence[Kind]) -> str | None:
    """The same for a driver of which we know no rule, by what it says is available now.

    A type of which n are available takes a n-th of what is free at most.
    """
    unknown = [kind for kind in added if not kind.available]
    if unknown:
        return f"none of {unknown[0].name} is available" + (f" beside {counted(kept)}" if kept else "")
    if sum((Fraction(1, kind.available or 1) for kind in added), Fraction()) > 1:
        return f"it has no room for {counted(added)}" + (f" beside {counted(kept)}" if kept else "")
    return None


def against(card: Card, kept: Sequence[Kind], added: Sequence[Kind], mode: str) -> str | None:
    """Why a card cannot have *added* beside *kept*, as the end of a sentence, or None.

    :param mode: equal, mixed, mig or pool
    """
    kinds = [*kept, *added]
    if card.on_functions and len(kinds) > card.functions:
        return f"it has {card.functions} virtual functions, one for each vGPU"
    if mode == "pool":
        return against_pool(kept, added)
    if mode == "mig":
        return against_mig(card, kinds)
    if any(kind.slices is not None for kind in kinds):
        return f"it is not in MIG mode, which {counted([kind for kind in kinds if kind.slices is not None])} needs"
    return against_mixed(card, kinds) if mode == "mixed" else against_equal(card, kinds)
