"""Prints, as JSON, where the stand-in of NVIDIA's repository lies and which key signs it."""

from __future__ import annotations

import json

from tests.lab.repository_stand_in import provide

if __name__ == "__main__":
    print(json.dumps(provide(), indent=1))
