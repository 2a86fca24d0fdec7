"""``python -m tests.lab.runfile_stand_ins FOLDER [KIND VERSION …]``: makes stand-ins and prints their checksums."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab import needs
from tests.lab.console import LabError, warn
from tests.lab.places import CACHE
from tests.lab.runfile_stand_ins import provide

USUAL = ["driver", "535.261.03", "driver", "535.274.02", "cuda", "12.6.3"]


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or len(words) % 2 == 0:
        warn(
            "usage: python -m tests.lab.runfile_stand_ins FOLDER [KIND VERSION …]; kinds: driver grid vgpu_manager cuda"
        )
        return 2
    pairs = words[1:] or USUAL
    try:
        needs.provide(CACHE / "needs.log")
        told = provide(Path(words[0]), list(zip(pairs[::2], pairs[1::2], strict=True)))
    except LabError as exc:
        warn(str(exc))
        return 1
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
