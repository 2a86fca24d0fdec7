# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a card with MIG can be cut: GPU instances have places in the card's slices, and not every sum fits."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_cards import Card, Kind

# Memory slices of an instance by its compute slices; a card of seven has eight, one of four has four.
MEMORY = {7: {1: 1, 2: 2, 3: 4, 4: 4, 7: 8}, 4: {1: 1, 2: 2, 4: 4}}
TOTAL = {7: 8, 4: 4}


def compute_slices(card: Card) -> int:
    """7 or 4, by the largest type that the card has."""
    return 4 if max((kind.slices or 0 for kind in card.kinds), default=0) == 4 else 7


def extent(card: Card, kind: Kind) -> int:
    """Memory slices that a type takes. One with more memory than its slices have, such as 1-20C, takes more."""
    whole = compute_slices(card)
    by_slices = MEMORY[whole].get(kind.slices or 0, TOTAL[whole])
    if not (card.memory and kind.size):
        return by_slices
    by_memory = -(-kind.size * TOTAL[whole] // card.memory) if kind.size <= card.memory else TOTAL[whole]
    return max(by_slices, 1 << (by_memory - 1).bit_length() if by_memory > 1 else 1)


def arranged(pieces: Sequence[tuple[int, int]], total: int) -> bool:
    """Whether pieces of (extent, highest start) find places of their own; each starts at a multiple of its extent."""

    def place(rest: Sequence[tuple[int, int]], taken: int) -> bool:
        if not rest:
            return True
        length, last = rest[0]
        for start in range(0, last + 1, length):
            mask = ((1 << length) - 1) << start
            if not taken & mask and place(rest[1:], taken | mask):
                return True
        return False

    return place(sorted(pieces, reverse=True), 0)


def fits(card: Card, kinds: Sequence[Kind]) -> bool:
    """Whether a card can have GPU instances for all of these types together."""
    whole = compute_slices(card)
    total = TOTAL[whole]
    if sum(kind.slices or whole for kind in kinds) > whole:
        return False
    pieces = []
    for kind in kinds:
        length = min(extent(card, kind), total)
        last = min(total - length, whole - (kind.slices or whole))
        pieces.append((length, last))
    return arranged(pieces, total)
