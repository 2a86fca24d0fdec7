"""The targets that stand beside what was measured, and the sum of those that were missed."""

from __future__ import annotations


class Targets:
    """Prints each figure with its target and keeps the names of those that are above it."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def judge(self, title: str, figure: float, most: float) -> None:
        met = figure <= most
        shown = f"{figure:.0f}" if isinstance(figure, int) else f"{figure:.2f}"
        print(f"{title:<58} {shown:>7}   target ≤ {most:g}: {'met' if met else 'MISSED'}", flush=True)
        if not met:
            self.missed.append(title)

    def status(self) -> int:
        """The exit status: 1 where a target was missed."""
        if self.missed:
            print(f"missed: {'; '.join(self.missed)}")
        return 1 if self.missed else 0
