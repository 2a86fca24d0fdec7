"""The fact `mok` of hosts whose kernel asks for signatures, as gpu_facts gives it, cut to what a plan reads."""

from __future__ import annotations

from typing import Any

from tests.unit.golden.converged import OLD

DKMS = "/var/lib/dkms/mok.pub"
SHA1, OTHER = "a" * 40, "b" * 40


def key(sha1: str = SHA1, **changes: Any) -> dict[str, Any]:
    row = {"sha1": sha1, "subject": f"CN=key {sha1[:1]}", "issuer_name": f"key {sha1[:1]}", "serial": sha1[:8]}
    return {**row, "ski": f"{sha1[:6]}f", "not_before": "2026-06-01T00:00:00Z", "source": "mok", **changes}


def signed(sha1: str | None = SHA1, kernel: str = OLD, by: str | None = None, **changes: Any) -> dict[str, Any]:
    """A module that this key has signed; :param by: who vouches for it (trusted_by)"""
    row = {"kernel": kernel, "name": "nvidia-current", "signed": sha1 is not None, "key_id": None}
    row |= {"signer": f"key {sha1[:1]}", "serial": sha1[:8]} if sha1 else {"signer": None, "serial": None}
    return {**row, "trusted": by in ("mok", "db", "builtin"), "trusted_by": by, **changes}


def request(sha1: str = SHA1, action: str = "enrol") -> dict[str, Any]:
    return {"sha1": sha1, "subject": f"CN=key {sha1[:1]}", "action": action, "boot_id": "b", "time": "2026-11-20"}


def mok(state: str = "trusted", **changes: Any) -> dict[str, Any]:
    """Secure Boot on, DKMS's key enrolled and its modules trusted, nothing waits; *changes* replace whole keys."""
    facts = {
        "firmware": "uefi",
        "secure_boot": "enabled",
        "enforced": True,
        "shim": True,
        "mokutil": "/usr/bin/mokutil",
        "enrolled": [key()],
        "pending": {"enrol": [], "delete": []},
        "timeout": None,
        "certificates": [key(path=DKMS)],
        "modules": [signed(by="mok")],
        "requests": [],
        "state": state,
        "next_step": f"What is to be done about {state}.",
    }
    return {**facts, **changes}


def fresh() -> dict[str, Any]:
    """Secure Boot on, and no driver, no key and no tool on the disk."""
    return mok("no_module", enrolled=[], certificates=[], modules=[], mokutil=None)


def untrusted() -> dict[str, Any]:
    """DKMS has signed with its own key, which nobody knows."""
    return mok("key_not_staged", enrolled=[], modules=[signed()])


def pending(timeout: int | None = None) -> dict[str, Any]:
    """The same, and its enrolment waits."""
    rows = {"enrol": [key()], "delete": []}
    by = [signed(by="pending")]
    return mok("key_pending", enrolled=[], modules=by, pending=rows, requests=[request()], timeout=timeout)


def dismissed() -> dict[str, Any]:
    """It was asked for, and nobody was there."""
    return mok("key_dismissed", enrolled=[], modules=[signed()], requests=[request()])
