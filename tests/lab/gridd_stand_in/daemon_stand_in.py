"""A stand-in for nvidia-gridd: reads the real gridd.conf and token, asks the stand-in service, tells the NVML stand-in.

It grants nothing to a real driver: a licence here is a line in the simulator's file /run/gpu-simulator/licence.state.
Texts in the journal are those of the real daemon where they are known. Standard library only: it is
/usr/bin/nvidia-gridd in lab hosts.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import sys
import syslog
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

CONF = Path("/etc/nvidia/gridd.conf")
TOKENS = "/etc/nvidia/ClientConfigToken"
STORE = Path("/var/lib/nvidia/GridLicensing/lease_stand_in.json")
CARDS = Path("/run/gpu-simulator/nvml.state")
LICENCE = Path("/run/gpu-simulator/licence.state")
AUDIENCE = "NLS Licensed Client"
# DER head of a SHA-256 digest in an RSA signature (RFC 8017, 9.2).
DIGEST_HEAD = bytes.fromhex("3031300d060960864801650304020105000420")
RETRY, PATIENCE = 2, 5  # seconds; the real daemon waits longer


class Refused(Exception):
    """The token cannot be used; its text is the journal's."""


def say(text: str) -> None:
    syslog.syslog(text)


def conf_values(text: str) -> dict[str, str]:
    lines = [line.partition("=") for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#")]
    return {key.strip(): value.strip().strip('"') for key, _equals, value in lines}


def configuration() -> dict[str, str]:
    try:
        return conf_values(CONF.read_text())
    except OSError as exc:
        say(f"Failed to open file {CONF} ({exc.strerror})")
        return {}


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signature_is_good(head: str, signature: bytes, key: dict[str, Any]) -> bool:
    modulus, exponent = int(key["mod"], 16), int(key["exp"])
    size = (modulus.bit_length() + 7) // 8
    plain = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    tail = DIGEST_HEAD + hashlib.sha256(head.encode()).digest()
    return plain == b"\x00\x01" + b"\xff" * (size - 3 - len(tail)) + b"\x00" + tail


def token_claims(raw: bytes, now: float) -> dict[str, Any]:
    """The claims of a token, which says by which key it is signed, as the real one does."""
    try:
        head, body, signature = raw.decode("ascii").split(".")
        claims: dict[str, Any] = json.loads(part(body))
        key = claims["service_instance_public_key_configuration"]["service_instance_public_key_me"]
        good = signature_is_good(f"{head}.{body}", part(signature), key)
    except (ValueError, KeyError, TypeError) as exc:
        raise Refused("Failed to decode signature from token received") from exc
    if not good:
        raise Refused("Failed to decode signature from token received")
    if claims.get("aud") != AUDIENCE:
        raise Refused("Failed to read configurations from client configuration token (Error: audience)")
    if not claims["nbf"] <= now < claims["exp"]:
        raise Refused("Failed to read configurations from client configuration token (Error: not valid at this time)")
    return claims


def node_of(claims: dict[str, Any]) -> tuple[str, int]:
    service = claims["service_instance_configuration"]
    ports = {row["service"]: row["port"] for row in service["svc_port_set_list"][0]["svc_port_map"]}
    return service["node_url_list"][0]["url"], ports["lease"]


def find_token(folder: str) -> bytes | None:
    paths = sorted(Path(folder).glob("*.tok"))
    if not paths:
        say("Unable to fetch the client configuration token file")
        return None
    if len(paths) > 1:
        raise Refused(f"Failed to read configurations from client configuration token (Error: {len(paths)} tokens)")
    return paths[0].read_bytes()


def cards() -> dict[int, str]:
    """The product that each vGPU wants, by index; none without a driver."""
    found = {}
    for line in CARDS.read_text().splitlines() if CARDS.exists() else []:
        key, _equals, value = line.partition("=")
        words = key.split(".")
        if len(words) == 3 and words[2] == "licence_product":
            found[int(words[1])] = value
    return found


def show(expires: float | None) -> None:
    """Tells the NVML stand-in; None: there is no licence."""
    if expires is None:
        LICENCE.unlink(missing_ok=True)
        return
    when = time.gmtime(expires)
    text = f"{when.tm_year} {when.tm_mon} {when.tm_mday} {when.tm_hour} {when.tm_min} {when.tm_sec}"
    partial = LICENCE.with_suffix(".new")
    partial.write_text("".join(f"gpu.{index}.expiry={text}\n" for index in cards()))
    partial.rename(LICENCE)


def ask(node: tuple[str, int], claims: dict[str, Any], product: str, method: str) -> dict[str, Any]:
    body = {"product": product, "client": socket.gethostname(), "scope": claims["scope_ref_list"], "now": time.time()}
    address = f"https://{node[0]}:{node[1]}/stand-in/lease"
    request = urllib.request.Request(address, json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=PATIENCE, context=ssl.create_default_context()) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def why(exc: Exception) -> str:
    """The reason as libcurl, which the real daemon uses, would put it."""
    if isinstance(exc, urllib.error.HTTPError):
        with contextlib.suppress(ValueError, OSError, KeyError):
            return str(json.load(exc)["error"])
        return f"HTTP response code said error: {exc.code}"
    if isinstance(getattr(exc, "reason", None), ssl.SSLError):
        return "SSL peer certificate or SSH remote key was not OK"
    return "Couldn't connect to server"


class Daemon:
    """One process; ``expires`` is when its lease ends, None without one."""

    def __init__(self) -> None:
        self.conf = configuration()
        self.expires: float | None = None
        self.held: tuple[tuple[str, int], dict[str, Any], str] | None = None
        show(None)

    def acquire(self) -> float:
        """Tries once, and gives the seconds until the next try."""
        wanted = sorted(set(cards().values()))
        raw = find_token(self.conf.get("ClientConfigTokenPath") or TOKENS)
        if raw is None or not wanted:
            return RETRY
        claims = token_claims(raw, time.time())
        node, product = node_of(claims), wanted[0]
        say(f"Acquiring license. (Info: {node[0]}; {product})")
        try:
            lease = ask(node, claims, product, "POST")
        except (OSError, ValueError) as exc:
            say(f"Failed to acquire license from {node[0]} (Info: {product} - Error: {why(exc)})")
            return self.without_answer(node[0], product)
        self.held, self.expires = (node, claims, product), float(lease["expires"])
        STORE.parent.mkdir(parents=True, exist_ok=True)
        STORE.write_text(json.dumps({"expires": self.expires, "product": product}))
        self.tell("License acquired successfully.", node[0], product)
        return max(RETRY, (self.expires - time.time()) * 0.15)

    def without_answer(self, host: str, product: str) -> float:
        """A lease that is still good stays, also one from before a boot."""
        if self.expires is None and STORE.exists():
            kept = json.loads(STORE.read_text())
            if kept["expires"] > time.time() and kept["product"] == product:
                self.expires = kept["expires"]
                self.tell("License acquired successfully from local trusted store.", host, product)
        if self.expires is not None and self.expires <= time.time():
            self.expires = None
            show(None)
        return RETRY

    def tell(self, text: str, host: str, product: str) -> None:
        when = time.gmtime(self.expires)
        stamp = f"{when.tm_year}-{when.tm_mon}-{when.tm_mday} {when.tm_hour}:{when.tm_min}:{when.tm_sec} GMT"
        show(self.expires)
        say(f"{text} (Info: {host}, {product}; Expiry: {stamp})")

    def give_back(self, *_signal: object) -> None:
        """A stopped daemon returns its licence, unless LingerInterval keeps it."""
        if self.held and self.conf.get("LingerInterval", "0") == "0":
            with contextlib.suppress(OSError, ValueError):
                ask(*self.held, "DELETE")
                say("License returned successfully (stand-in's text)")
            STORE.unlink(missing_ok=True)
        show(None)
        sys.exit(0)

    def run(self) -> None:
        say(f"Started ({os.getpid()})")
        say("vGPU Software package (0)")
        say("NLS initialized")
        signal.signal(signal.SIGTERM, self.give_back)
        while True:
            time.sleep(self.acquire())


def main() -> None:
    syslog.openlog("nvidia-gridd", 0, syslog.LOG_DAEMON)
    if os.fork():
        os._exit(0)
    os.setsid()
    try:
        Daemon().run()
    except Refused as exc:
        say(str(exc))
        say("Failed to setup cloud License Manager: 3")
        sys.exit(1)


if __name__ == "__main__":
    main()
