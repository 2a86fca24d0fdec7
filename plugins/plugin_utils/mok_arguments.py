# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mok_console was asked, examined before anything is touched. No sentence holds a value that may be a secret."""

from __future__ import annotations

import re
import shlex
from typing import Any

WAYS = ("command", "tcp", "socket")
TCP = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[\w.-]+):(\d{1,5})")
PASSWORD = re.compile(r"[\x21-\x7e]{1,256}")


def console_of(asked: dict[str, Any]) -> dict[str, Any]:
    """Gives the console in one shape (``command`` as a list of words), or raises ValueError with a sentence."""
    given = [way for way in WAYS if asked.get(way)]
    if len(given) != 1:
        named = " and ".join(given) or "none of them"
        raise ValueError(
            f"console needs exactly one of command, tcp and socket, and has {named}. Name one way to the line."
        )
    if asked.get("tcp"):
        match = TCP.fullmatch(asked["tcp"])
        if not match or not 0 < int(match[1]) < 65536:
            raise ValueError(f"console.tcp is {asked['tcp']!r}. Write host:port, such as consoles.example.org:7001.")
        return {"tcp": asked["tcp"]}
    if asked.get("socket"):
        if not asked["socket"].startswith("/"):
            raise ValueError(f"console.socket is {asked['socket']!r}. Write the whole path of the unix socket.")
        return {"socket": asked["socket"]}
    return {"command": words(asked["command"]), "environment": asked.get("environment") or {}}


def words(command: Any) -> list[str]:
    if isinstance(command, list):
        return [str(word) for word in command]
    try:
        return shlex.split(str(command))
    except ValueError as exc:
        raise ValueError("console.command has a quotation mark too few. Give it as a list of words.") from exc


def password_of(given: str | None) -> str:
    """Gives the password back, or raises ValueError where MokManager's keyboard cannot type it."""
    if not given:
        raise ValueError("password is empty. Give the one that the request was staged with.")
    if not PASSWORD.fullmatch(given):
        raise ValueError(
            "password holds something that cannot be typed into MokManager: it takes 1 to 256 printable ASCII "
            "characters without blanks. Stage the request again with 8 to 16 letters and digits."
        )
    return given


def expected_of(given: list[str] | None) -> tuple[str, ...]:
    """Gives the keys that may be confirmed; a fingerprint other than SHA-1 cannot be compared with the screen."""
    for one in given or []:
        digits = re.sub(r"[: ]", "", one)
        if re.fullmatch(r"[0-9A-Fa-f]{48,}", digits):
            raise ValueError(
                f"expected_keys holds {one}, which is no SHA-1 fingerprint. MokManager shows SHA-1 alone: "
                "openssl x509 -noout -fingerprint -sha1 tells it."
            )
        if not digits:
            raise ValueError("expected_keys holds an empty text, which every key would match.")
    return tuple(given or [])
