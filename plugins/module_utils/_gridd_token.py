# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client configuration token: whether a file is one, and its claims. Nothing of the token itself is ever given on.

It is a compact JWS (RFC 7515). Its claims are read, not believed: only the licence service knows whether it is genuine.
Sources: NVIDIA License System user guide; the claims' shape as public clients of the service know it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import iso

# reason: why it is no token, None where it is one; code: of that reason; claims: decoded; trailing: bytes after its end
Token = namedtuple("Token", "reason code claims trailing sha256")

LIMIT = 64 * 1024  # bytes; a token has some four thousand
ISSUER, AUDIENCE = "NLS Service Instance", "NLS Licensed Client"
# Bytes of an RSA signature, by the size of the service's key. Nobody signs with half of the least: that is one cut off.
SIGNATURES = (256, 384, 512)
PART = re.compile(rb"[A-Za-z0-9_-]+")
HTML = re.compile(rb"<(?:!doctype|html|head|body|script|\?xml)", re.IGNORECASE)
SKEW = 60  # seconds that two clocks may differ without anybody noticing

SHAPES = {
    "empty": "is empty",
    "html": "is a web page, not a token: most likely a log-in page that was saved. Sign in and download it again",
    "large": f"has more than {LIMIT} bytes, so it is no token",
    "shape": "is no token: a client configuration token is three parts of base64 with dots between them",
    "truncated": "is cut off: a part of the token is missing. Download it again, and copy the file, not its text",
    "algorithm": "is a signed document, but not with RS256, as tokens are",
    "audience": "is for somebody else than a licensed client",
    "nodes": "names no licence service to ask",
    "times": "has no times that can be read",
}


def is_token_name(name):
    """Whether a file in the daemon's folder is meant as a token, by NVIDIA's name or ending."""
    return name.endswith(".tok") or name.startswith("client_configuration_token")


def read(data):
    """Token of a file's bytes; never raises."""
    body = data.rstrip(b" \t\r\n\0")
    trailing, digest = len(data) - len(body), hashlib.sha256(data).hexdigest()

    def no(code, claims=None):
        return Token(SHAPES[code], code, claims, trailing, digest)

    if len(data) > LIMIT:
        return no("large")
    if not body:
        return no("empty")
    if HTML.search(body[:1024]):
        return no("html")
    parts = body.split(b".")
    if body[:2] != b"ey" or len(parts) > 3 or not all(PART.fullmatch(part) for part in parts if part):
        return no("shape")
    header, claims = _object(parts[0]), _object(parts[1]) if len(parts) > 1 else None
    if header is None and len(parts) > 1:
        return no("shape")
    if len(parts) < 3 or claims is None or len(_bytes(parts[2]) or b"") not in SIGNATURES:
        return no("truncated")
    if header.get("alg") != "RS256":
        return no("algorithm", claims)
    if claims.get("aud") != AUDIENCE or claims.get("iss") != ISSUER:
        return no("audience", claims)
    if any(iso(claims.get(name)) is None for name in ("iat", "nbf", "exp")):
        return no("times", claims)
    return Token(None, None, claims, trailing, digest) if nodes(claims) else no("nodes", claims)


def _bytes(part):
    """What a part of base64url without padding holds, or None; bits that belong to no byte are of a part cut off."""
    try:
        data = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == part else None


def _object(part):
    """The JSON object in a part, or None."""
    try:
        found = json.loads(_bytes(part) or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _at(value, *names):
    """What lies below a chain of keys; None where something else is there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _rows(value):
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def instance(claims):
    """The service instance's identity, or None."""
    found = _at(claims, "service_instance_configuration", "nls_service_instance_ref")
    return found if isinstance(found, str) else None


def nodes(claims):
    """Addresses of the licence service, as ``https://host:port`` of the port where clients sign in."""
    configuration = _at(claims, "service_instance_configuration")
    ports = {}
    for row in _rows(_at(configuration, "svc_port_set_list")):
        for entry in _rows(row.get("svc_port_map")):
            if entry.get("service") == "auth" and isinstance(row.get("idx"), int):
                ports[row["idx"]] = entry.get("port")
    found = []
    for row in _rows(_at(configuration, "node_url_list")):
        host = row.get("url")
        if isinstance(host, str) and re.fullmatch(r"[\w.:\[\]-]{1,255}", host, re.ASCII):
            index = row.get("svc_port_set_idx")
            port = ports.get(index) if isinstance(index, int) else None
            found.append(f"https://{host}" + (f":{port}" if isinstance(port, int) and port != 443 else ""))
    return found


def _text(value):
    return value if isinstance(value, str) and len(value) <= 256 else None


def described(claims):
    """The claims that people may see."""
    claims = claims or {}
    return {
        "jti": _text(claims.get("jti")),
        "iss": _text(claims.get("iss")),
        "aud": _text(claims.get("aud")),
        "issued": iso(claims.get("iat")),
        "not_before": iso(claims.get("nbf")),
        "expires": iso(claims.get("exp")),
        "service_instance": instance(claims),
        "nodes": nodes(claims),
    }


def refusal(token, now):
    """(cause, the end of a sentence) on why a token must not be put in place, or None.

    :param now: the target's own clock, in seconds since the epoch
    """
    if token.reason:
        return "token_invalid", _whose(token)
    if token.trailing:
        return "token_invalid", (
            f"has {token.trailing} more bytes after its end (an editor adds them). Download it again, and copy the "
            "file, not its text"
        )
    claims, clock = token.claims, iso(now)
    if claims["exp"] <= now:
        return "token_expired", (
            f"has expired on {iso(claims['exp'])}; the clock of this host says {clock}. Where the clock is right, "
            "generate a new token on the licence service"
        )
    begins = max(claims["nbf"], claims["iat"])
    if begins > now + SKEW:
        return "clock_skew", (
            f"is valid from {iso(begins)} on, and the clock of this host says {clock}. Set the clock (chrony or "
            "systemd-timesyncd) first"
        )
    return None


def _whose(token):
    if token.code != "audience":
        return token.reason
    seen = described(token.claims)
    return f"{token.reason}: it is by {seen['iss']!r} for {seen['aud']!r}, not by {ISSUER!r} for {AUDIENCE!r}"
