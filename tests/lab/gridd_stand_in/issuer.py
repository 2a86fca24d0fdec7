"""Makes a private authority, a certificate, and tokens of the documented claim shape signed with a key of our own."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import uuid
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

HOUR = 3600
DAY = 24 * HOUR


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def usage(authority: bool) -> x509.KeyUsage:
    """What the key may do; strict clients, such as Python 3.13, want it to be told."""
    names = ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    rest = dict.fromkeys(names, False)
    own = not authority
    return x509.KeyUsage(
        digital_signature=own, key_encipherment=own, key_cert_sign=authority, crl_sign=authority, **rest
    )


def certificate(name: str, key: rsa.RSAPrivateKey, issuer: Any, address: str | None) -> x509.Certificate:
    """A certificate for ``key``; ``issuer`` is (certificate, key), or None for an authority of its own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage(issuer is None), critical=True)
    )
    above = (issuer[1] if issuer else key).public_key()
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(key: rsa.RSAPrivateKey, node: str, port: int, now: int, **other: Any) -> dict[str, Any]:
    """The claims of a client configuration token; ``other`` replaces some of them."""
    public = key.public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    ports = [{"service": "auth", "port": port}, {"service": "lease", "port": port}]
    return {
        "jti": str(uuid.uuid4()),
        "iss": "NLS Service Instance",
        "aud": "NLS Licensed Client",
        "iat": now,
        "nbf": now,
        "exp": now + 30 * DAY,
        "update_mode": "ABSOLUTE",
        "scope_ref_list": [str(uuid.uuid4())],
        "fulfillment_class_ref_list": [],
        "service_instance_configuration": {
            "nls_service_instance_ref": str(uuid.uuid5(uuid.NAMESPACE_DNS, node)),
            "svc_port_set_list": [{"idx": 0, "d_name": "DLS", "svc_port_map": ports}],
            "node_url_list": [{"idx": 0, "url": node, "url_qr": node, "svc_port_set_idx": 0}],
        },
        "service_instance_public_key_configuration": {
            "service_instance_public_key_me": {"mod": f"{public.public_numbers().n:x}", "exp": 65537},
            "service_instance_public_key_pem": text,
            "key_retention_mode": "LATEST_ONLY",
        },
        **other,
    }


def token(key: rsa.RSAPrivateKey, body: dict[str, Any]) -> bytes:
    """A compact JWS, RS256."""
    head = part(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    signed = f"{head}.{part(json.dumps(body).encode())}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{part(signature)}".encode()


def tokens(key: rsa.RSAPrivateKey, node: str, port: int, now: int) -> dict[str, bytes]:
    """By what they are: one that works, a newer one, and those that must be refused."""
    past = {"iat": now - 40 * DAY, "nbf": now - 40 * DAY, "exp": now - 10 * DAY}
    future = {"iat": now + 3 * HOUR, "nbf": now + 3 * HOUR, "exp": now + 30 * DAY}
    good = token(key, claims(key, node, port, now - HOUR))
    return {
        "good": good,
        "newer": token(key, claims(key, node, port, now)),
        "expired": token(key, claims(key, node, port, now, **past)),
        "future": token(key, claims(key, node, port, now, **future)),
        "foreign": token(key, claims(key, node, port, now, aud="NLS Something Else")),
        "elsewhere": token(key, claims(key, "127.0.14.8", port, now)),
        "truncated": good[: len(good) // 2],
        "portal": b"<!DOCTYPE html>\n<html><head><title>NVIDIA Licensing Portal - Log in</title></head></html>\n",
    }


def make(folder: Path, node: str, port: int, now: int) -> dict[str, str]:
    """Writes everything into a folder, and gives the paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, server_key, token_key = new_key(), new_key(), new_key()
    authority = certificate("gpufleet lab authority", authority_key, None, None)
    server = certificate(node, server_key, (authority, authority_key), node)
    files = {
        "authority.crt": authority.public_bytes(serialization.Encoding.PEM),
        "server.crt": server.public_bytes(serialization.Encoding.PEM),
        "server.key": pem_of(server_key),
        **{f"{name}.tok": data for name, data in tokens(token_key, node, port, now).items()},
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "server.key").chmod(0o600)
    return {name: str(folder / name) for name in files}
