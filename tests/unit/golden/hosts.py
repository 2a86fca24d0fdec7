"""Facts of hosts for the tests of driver plans: as gpu_facts gives them, cut to what a plan reads."""

from __future__ import annotations

from typing import Any

CARDS = {
    "k80": ("102d", "kepler"),
    "gtx750ti": ("1380", "maxwell"),
    "p40": ("1b38", "pascal"),
    "p4": ("1bb3", "pascal"),
    "v100": ("1db4", "volta"),
    "t4": ("1eb8", "turing"),
    "a100": ("20b5", "ampere"),
    "a6000": ("2230", "ampere"),
    "rtx4090": ("2684", "ada"),
    "l40s": ("26b9", "ada"),
    "h200": ("2335", "hopper"),
    "gh200": ("2342", "hopper"),
    "b200": ("2901", "blackwell"),
    "rtx5090": ("2b85", "blackwell"),
}
PLATFORMS = {
    "debian-12": ("debian", "12", "bookworm", "apt", "6.1.0-41-amd64"),
    "debian-13": ("debian", "13", "trixie", "apt", "6.12.57+deb13-amd64"),
    "ubuntu-22.04": ("ubuntu", "22.04", "jammy", "apt", "5.15.0-161-generic"),
    "ubuntu-24.04": ("ubuntu", "24.04", "noble", "apt", "6.8.0-88-generic"),
    "ubuntu-26.04": ("ubuntu", "26.04", "resolute", "apt", "7.0.0-12-generic"),
    "rhel-8": ("rhel", "8.10", None, "dnf", "4.18.0-553.el8_10.x86_64"),
    "rocky-9": ("rocky", "9.6", None, "dnf", "5.14.0-570.12.1.el9_6.x86_64"),
    "alma-10": ("almalinux", "10.0", None, "dnf", "6.12.0-55.9.1.el10_0.x86_64"),
    "sles-15": ("sles", "15.7", None, "zypper", "6.4.0-150700.53.3-default"),
    "arch": ("arch", None, None, "pacman", "6.17.8-arch1-1"),
}


def card(name: str, slot: int, **changes: Any) -> dict[str, Any]:
    device, architecture = CARDS[name]
    row = {
        "address": f"0000:{slot:02x}:00.0",
        "vendor": "10de",
        "device": device,
        "kind": "gpu",
        "architecture": architecture,
        "name": None,
        "driver": None,
        "bars_assigned": True,
        "physical_function": None,
    }
    return {**row, **changes}


def host(platform: str, *cards: str, **changes: Any) -> dict[str, Any]:
    """Facts of a fresh host with these cards. *changes* replace whole keys of the facts."""
    distribution, version, codename, manager, release = PLATFORMS[platform]
    facts: dict[str, Any] = {
        "system": {
            "distribution": distribution,
            "version": version,
            "codename": codename,
            "machine": "x86_64",
            "package_manager": manager,
            "container": None,
            "secure_boot": "disabled",
        },
        "repositories": archive(codename) if manager == "apt" else [],
        "kernel": kernel(release),
        "place": "bare_metal",
        "pci": [card(name, slot) for slot, name in enumerate(cards, start=1)],
        "nouveau": {"loaded": [], "bound": [], "blacklisted": False},
        "driver": {
            "loaded": None,
            "on_disk": {release: None},
            "dkms": [],
            "library": None,
            "install": {"method": "none", "packages": [], "runfile": None},
        },
        "nvml": {"available": False, "reason": "no library"},
        "gpus": [],
    }
    return {**facts, **changes}


def kernel(*releases: str, running: str | None = None, following: str | None = None) -> dict[str, Any]:
    """The fact `kernel` with these releases installed; the first runs, and boots next, unless told."""
    rows = [{"release": release, "image": True, "headers": False, "initramfs": None} for release in releases]
    return {
        "running": running or releases[0],
        "next": following or releases[0],
        "next_source": "newest",
        "installed": rows,
    }


def archive(
    codename: str | None, *extra: str, file: str = "/etc/apt/sources.list.d/debian.sources"
) -> list[dict[str, Any]]:
    """The fact `repositories` of a host with its distribution's archive, main and *extra* enabled."""
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    suites = [(f"{codename}", "debian"), (f"{codename}-updates", "debian"), (f"{codename}-security", "debian-security")]
    return [
        {
            "uris": [f"https://archive.example.org/{path}"],
            "suite": suite,
            "components": ["main", *extra],
            "signed_by": key,
            "file": file,
        }
        for suite, path in suites
    ]


def package(name: str, version: str, held: bool = True, state: str = "installed") -> dict[str, Any]:
    return {"name": name, "version": version, "source": "nvidia-graphics-drivers", "held": held, "state": state}


def module(version: str, flavour: str, name: str = "nvidia") -> dict[str, Any]:
    return {
        "name": name,
        "path": f"/lib/modules/updates/dkms/{name}.ko",
        "version": version,
        "flavour": flavour,
        "signer": None,
    }


def codes(plan: dict[str, Any], severity: str = "error") -> list[str]:
    """The codes of the findings of one severity."""
    return [row["code"] for row in plan["findings"] if row["severity"] == severity]


def text_of(plan: dict[str, Any], code: str) -> str:
    """The text of the first finding with this code."""
    return next(row["text"] for row in plan["findings"] if row["code"] == code)


def driver(method: str = "packages", packages: Any = (), on_disk: Any = None, runfile: Any = None) -> dict[str, Any]:
    """The fact `driver` of a Debian 12 host with this installation and nothing loaded."""
    return {
        "loaded": None,
        "on_disk": {PLATFORMS["debian-12"][4]: on_disk},
        "dkms": [],
        "library": None,
        "install": {"method": method, "packages": list(packages), "runfile": runfile},
    }
