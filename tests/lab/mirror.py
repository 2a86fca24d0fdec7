"""Finds the Debian archive that this machine itself uses. No mirror's name is written down anywhere in the lab."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tests.lab.console import LabError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMPONENTS = ("main", "non-free-firmware")
FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
# Names under which Debian's base suites appear; other archives that a machine may use have other names.
CODENAMES = ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
PROXIES = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::https::CaInfo", "Acquire::https::Verify-Peer")
AUTHORITIES = Path("/usr/local/share/ca-certificates")


class Mirror(NamedTuple):
    """``archive`` serves RELEASE and, with ``updates``, RELEASE-updates; ``security`` RELEASE-security, if any."""

    archive: str
    security: str | None
    updates: bool


def parse_targets(text: str) -> Mirror | None:
    """Reads lines ``URI|suite|component`` of ``apt-get indextargets``; None when none of them is Debian's archive."""
    archive: str | None = None
    security: str | None = None
    updates = False
    for line in text.splitlines():
        parts = line.strip().split("|")
        if len(parts) != 3 or parts[2] != "main":
            continue
        uri, suite = parts[0].rstrip("/"), parts[1].removesuffix("/updates")
        base = suite.split("-")[0]
        if base not in CODENAMES:
            continue
        if suite == base and parts[1] == suite:
            archive = archive or uri
        elif suite.endswith("-security") or parts[1].endswith("/updates"):
            security = security or uri
        elif suite.endswith("-updates"):
            updates = True
    return Mirror(archive, security, updates) if archive else None


def find() -> Mirror:
    """Asks apt. The variables LAB_MIRROR and LAB_SECURITY_MIRROR come first, for machines that are not Debian."""
    if os.environ.get("LAB_MIRROR"):
        return Mirror(
            os.environ["LAB_MIRROR"].rstrip("/"), os.environ.get("LAB_SECURITY_MIRROR", "").rstrip("/") or None, True
        )
    found = parse_targets(run(["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]))
    if found is None:
        raise LabError(
            "apt on this machine knows no Debian archive, so the lab does not know where to take Debian from. "
            "Set LAB_MIRROR to the address of one, and LAB_SECURITY_MIRROR to that of its security archive."
        )
    return found


def suites(mirror: Mirror, release: str) -> list[tuple[str, list[str]]]:
    """Gives (address, suites) for each stanza of a host's sources, as Debian's own installer writes them."""
    stanzas = [(mirror.archive, [release, f"{release}-updates"] if mirror.updates else [release])]
    if mirror.security:
        stanzas.append((mirror.security, [f"{release}-security"]))
    return stanzas


def sources_text(mirror: Mirror, release: str) -> str:
    """Gives the host's debian.sources (deb822)."""
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {' '.join(names)}\n"
        f"Components: {' '.join(COMPONENTS)}\nSigned-By: {KEYRING}\n"
        for uri, names in suites(mirror, release)
    )


def parse_apt_settings(text: str) -> str:
    """Keeps of ``apt-config dump`` what a host needs to reach the same archive: proxies and authorities."""
    kept = [line for line in text.splitlines() if line.split(" ")[0].rstrip(":") in PROXIES and '""' not in line]
    return "".join(f"{line}\n" for line in kept)


def apt_settings() -> str:
    return parse_apt_settings(run(["apt-config", "dump"]))


def authorities() -> list[Path]:
    """Lists the certificates of authorities that were added to this machine."""
    return sorted(AUTHORITIES.glob("**/*.crt")) if AUTHORITIES.is_dir() else []
