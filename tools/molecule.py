"""Runs Molecule scenarios, two at a time where there are several: all of them, or those named on the command line."""

from __future__ import annotations

import os
import sys

from tools.steps import ROOT, Step, run_all

# Scenarios wait for a host half of their time. More at a time would starve the machines in software emulation.
LANES = 2
# Those that take longest begin, so that none of them is left alone at the end.
LONGEST = ("vllm_serve", "secure_boot", "vgpu_guest", "drift", "runfile", "vgpu_host", "nvidia_driver", "default")


def scenarios() -> list[str]:
    found = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}
    return [name for name in LONGEST if name in found] + sorted(found - set(LONGEST))


def main(names: list[str]) -> int:
    known = scenarios()
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"No scenario is named {', '.join(unknown)}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    command = ["molecule", "test", "--no-command-borders", "-s"]
    steps = [Step(f"molecule: {name}", [*command, name], show=True) for name in names or known]
    return run_all(steps, lanes=1 if len(steps) == 1 else min(LANES, os.cpu_count() or 1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
