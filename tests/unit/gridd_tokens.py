"""Issues client configuration tokens of the documented claim shape, with a key that no licence service knows."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOW = 1_770_000_000  # 2026-02-02T02:40:00Z
INSTANCE = "7c1c2d4e-0000-4000-8000-000000000001"
OTHER_INSTANCE = "7c1c2d4e-0000-4000-8000-000000000002"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def claims(**changes: Any) -> dict[str, Any]:
    modulus = f"{key().public_key().public_numbers().n:x}"
    return {
        "jti": "0f0e0d0c-0000-4000-8000-00000000000a",
        "iss": "NLS Service Instance",
        "aud": "NLS Licensed Client",
        "iat": NOW - 3600,
        "nbf": NOW - 3600,
        "exp": NOW + 365 * 86400,
        "update_mode": "ABSOLUTE",
        "scope_ref_list": ["5c5c5c5c-0000-4000-8000-000000000003"],
        "fulfillment_class_ref_list": [],
        "service_instance_configuration": {
            "nls_service_instance_ref": INSTANCE,
            "svc_port_set_list": [
                {
                    "idx": 0,
                    "d_name": "DLS",
                    "svc_port_map": [{"service": "auth", "port": 8443}, {"service": "lease", "port": 8443}],
                }
            ],
            "node_url_list": [{"idx": 0, "url": "dls.example.com", "url_qr": "dls.example.com", "svc_port_set_idx": 0}],
        },
        "service_instance_public_key_configuration": {
            "service_instance_public_key_me": {"mod": modulus, "exp": 65537},
            "key_retention_mode": "LATEST_ONLY",
        },
        **changes,
    }


def of_instance(reference: str) -> dict[str, Any]:
    configuration = claims()["service_instance_configuration"]
    return claims(service_instance_configuration={**configuration, "nls_service_instance_ref": reference})


def sign(body: Any, header: Any = None) -> bytes:
    head = {"alg": "RS256", "typ": "JWT"} if header is None else header
    signed = encoded(json.dumps(head).encode()) + b"." + encoded(json.dumps(body).encode())
    return signed + b"." + encoded(key().sign(signed, padding.PKCS1v15(), hashes.SHA256()))


def issue(**changes: Any) -> bytes:
    """A token's bytes, with some claims changed."""
    return sign(claims(**changes))
