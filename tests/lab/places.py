"""Where the lab keeps what: caches that outlive hosts, and the hosts themselves."""

from __future__ import annotations

from pathlib import Path

CACHE = Path("/var/cache/gpufleet-lab")
IMAGES = CACHE / "images"
PACKAGES = CACHE / "apt"
STAND_INS = CACHE / "stand-ins"

STATE = Path("/var/lib/gpufleet-lab")
HOSTS = STATE / "hosts"
SSH = STATE / "ssh"
KEY = SSH / "id_ed25519"
KNOWN_HOSTS = SSH / "known_hosts"
HOST_KEY = SSH / "host_ed25519_key"

SSH_PORT = 2222
RELEASES = ("bookworm", "trixie")
KINDS = ("container", "secure_boot", "mediated_devices")
SOURCE = Path(__file__).resolve().parent
PROFILES = SOURCE / "profiles"
SIMULATOR = SOURCE / "simulator"
