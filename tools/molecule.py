"""Runs Molecule scenarios one after the other: all of them, or those named on the command line."""

from __future__ import annotations

import sys

from tools.steps import ROOT, Step, run_all


def scenarios() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


def main(names: list[str]) -> int:
    known = scenarios()
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"No scenario is named {', '.join(unknown)}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    command = ["molecule", "test", "--no-command-borders", "-s"]
    return run_all([Step(f"molecule: {name}", [*command, name], show=True) for name in names or known])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
