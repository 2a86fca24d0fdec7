"""``python -m tests.lab.gridd_stand_in FOLDER [VERSION …]``: makes packages, a certificate and tokens."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lab import needs
from tests.lab.console import LabError, warn
from tests.lab.gridd_stand_in import issuer, package
from tests.lab.places import CACHE

NODE, PORT = "127.0.14.9", 8443


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        warn("usage: python -m tests.lab.gridd_stand_in FOLDER [VERSION …]")
        return 2
    folder = Path(words[0])
    try:
        needs.provide(CACHE / "needs.log")
        shutil.rmtree(folder, ignore_errors=True)
        told: dict[str, object] = {"files": issuer.make(folder, NODE, PORT, int(time.time()))}
        debs = {version: package.build(folder, version) for version in words[1:]}
    except LabError as exc:
        warn(str(exc))
        return 1
    told["node"], told["port"] = NODE, PORT
    told["packages"] = {
        version: {"path": str(path), "name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for version, path in debs.items()
    }
    (folder / "made.json").write_text(json.dumps(told, indent=1))
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
