# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-time password that MokManager asks for: its limits, its hash, and whether a request has the same one."""

from __future__ import annotations

import re
import struct
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

SHORTEST, LONGEST = 8, 16  # older shims take no other, and a person may have to type it
AUTH = struct.Struct("<HQH32s128s")  # mokutil's src/password-crypt.h: method, rounds, length of the salt, salt, hash
SHA512, ROUNDS = 4, 5000
DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CRYPTED = re.compile(r"\$6\$([./0-9A-Za-z]{1,16})\$([./0-9A-Za-z]{86})")

NO_OPENSSL = "The password is hashed by openssl, which is not installed. Install the package openssl."

Auth = namedtuple("Auth", "method rounds salt digest")


def refusal(password):
    """Why MokManager could not take a password, as a sentence without it; None: it can."""
    if password is None:
        return (
            "A request for MokManager needs a password, which it asks for at the next boot. Give one (password), of"
            f" {SHORTEST} to {LONGEST} letters and digits; it is used once."
        )
    if not SHORTEST <= len(password) <= LONGEST:
        return (
            f"The password has {len(password)} characters; MokManager wants {SHORTEST} to {LONGEST}. Choose another one"
            " (letters and digits can be typed on every keyboard)."
        )
    if not all("!" <= character <= "~" for character in password):
        return (
            "The password has a character that MokManager's keyboard (US layout) does not give, or a space. Choose one"
            " of letters, digits and ASCII punctuation."
        )
    return None


def crypted(system, password, salt=None):
    """What crypt(5) makes of a password with SHA-512. It goes through standard input, so no list of processes has it.

    :raises NvidiaError: where openssl is not there, or says anything else
    """
    salted = ["-salt", salt] if salt else []
    answer = system.run(["openssl", "passwd", "-6", *salted, "-stdin"], data=password, timeout=60)
    if answer.rc == 127:
        raise NvidiaError(NO_OPENSSL)
    found = CRYPTED.fullmatch(answer.out.strip())
    if answer.rc != 0 or not found:
        raise NvidiaError(
            "openssl passwd -6 made no hash of the password. It needs OpenSSL 1.1.1: look at `openssl version`."
        )
    return answer.out.strip()


def digest(text):
    """The 64 bytes of a SHA-512 crypt's last part, whose order and digits are crypt's own."""
    order = [place for group in range(21) for place in _rotated([group, group + 21, group + 42], group % 3)]
    found = bytearray(64)
    for group in range(21):
        value = _number(text[4 * group : 4 * group + 4])
        for byte, place in enumerate(order[3 * group : 3 * group + 3]):
            found[place] = value >> 8 * (2 - byte) & 0xFF
    found[63] = _number(text[84:86]) & 0xFF
    return bytes(found)


def _rotated(places, by):
    return places[by:] + places[:by]


def _number(characters):
    return sum(DIGITS.index(character) << 6 * place for place, character in enumerate(characters))


def parse_auth(data):
    """Auth of MokAuth or MokDelAuth, None: there is none, or it has the form of mokutil's first versions."""
    if data is None or len(data) != AUTH.size:
        return None
    method, rounds, length, salt, hashed = AUTH.unpack(data)
    return Auth(method, rounds, salt[: min(length, 32)].decode("ascii", "replace"), hashed)


def confirms(system, auth, password):
    """Whether a request was made with this password; one hashed in another way counts as made with another."""
    if auth is None or (auth.method, auth.rounds) != (SHA512, ROUNDS) or set(auth.salt) - set(DIGITS) or not auth.salt:
        return False
    return auth.digest[:64] == digest(crypted(system, password, auth.salt).rpartition("$")[2])
