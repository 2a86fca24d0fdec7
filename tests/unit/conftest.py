"""Makes `ansible_collections.gpufleet.nvidia` importable from a plain checkout, as Ansible itself sees it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "collections"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
if not any(os.path.isdir(os.path.join(p, "ansible_collections", "gpufleet", "nvidia")) for p in sys.path if p):
    sys.path.insert(0, str(COLLECTIONS))

settings.register_profile("default", deadline=None, max_examples=100)
settings.load_profile("default")
