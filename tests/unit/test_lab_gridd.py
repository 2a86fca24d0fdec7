"""The lab's stand-ins for a licensing daemon and a licence service agree with the collection, and with each other."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_token import read
from tests.lab import profiles
from tests.lab.gridd_stand_in import daemon_stand_in as daemon
from tests.lab.gridd_stand_in import issuer, package, service_stand_in, smi_stand_in
from tests.lab.simulator import nvml_state
from tests.lab.simulator.decide import Module, with_nvidia

NODE, PORT, NOW = "127.0.14.9", 8443, int(time.time())
TOKENS = issuer.tokens(issuer.new_key(), NODE, PORT, NOW)
VGPU = profiles.load("vgpu-p40-8q")


def test_a_good_token_is_read_by_the_daemon():
    claims = daemon.token_claims(TOKENS["good"], NOW)
    assert daemon.node_of(claims) == (NODE, PORT)


@pytest.mark.parametrize("name", ["expired", "future", "foreign", "truncated", "portal"])
def test_every_other_token_is_refused_by_the_daemon(name):
    with pytest.raises(daemon.Refused):
        daemon.token_claims(TOKENS[name], NOW)


@pytest.mark.parametrize(
    ("name", "code"),
    [("good", None), ("newer", None), ("foreign", "audience"), ("portal", "html"), ("truncated", "truncated")],
)
def test_the_collection_reads_the_tokens_as_the_daemon_does(name, code):
    assert read(TOKENS[name]).code == code


def test_a_changed_token_has_no_good_signature():
    head, body, signature = TOKENS["good"].split(b".")
    claims = json.loads(daemon.part(body.decode()))
    forged = issuer.part(json.dumps({**claims, "exp": NOW + 10**9}).encode()).encode()
    with pytest.raises(daemon.Refused, match="decode signature"):
        daemon.token_claims(b".".join([head, forged, signature]), NOW)


def test_conf_values_are_read_as_the_template_has_them():
    values = daemon.conf_values(package.TEMPLATE)
    assert values["FeatureType"] == "0" and values["EnableUI"] == "FALSE" and "LicenseInterval" not in values


@pytest.mark.parametrize(
    ("service", "status", "says"),
    [
        ({}, 200, ""),
        ({"pools": []}, 403, "No pool features found for : P"),
        ({"clock_offset": 10800}, 400, "The allowed time to process response has expired"),
        ({"clock_offset": -10800}, 400, "The allowed time to process response has expired"),
    ],
)
def test_the_service_answers_with_the_documented_words(service, status, says):
    here = {"pools": ["P"], "clock_offset": 0, "lease_seconds": 60, **service}
    told = service_stand_in.lease({"product": "P", "now": NOW}, here, NOW)
    assert told[0] == status and told[1].get("error", "") == says


def test_nvml_knows_what_a_vgpu_can_be_licensed_for():
    text = nvml_state.text(VGPU, with_nvidia(VGPU, Module("535.261.03", "proprietary")))
    assert "gpu.0.licence_feature=2" in text
    assert "gpu.0.licence_product=NVIDIA RTX Virtual Workstation" in text
    p40 = profiles.load("p40-gtx750ti")
    assert "licence" not in nvml_state.text(p40, with_nvidia(p40, Module("535.261.03", "proprietary")))


@pytest.mark.parametrize(
    ("held", "status"),
    [
        ({}, "Unlicensed (Unrestricted)"),
        ({"gpu.0.expiry": "2026 4 3 19 11 6"}, "Licensed (Expiry: 2026-4-3 19:11:6 GMT)"),
    ],
)
def test_nvidia_smi_has_the_licence_s_block(held, status):
    _blank, name, told = smi_stand_in.licence({"gpu.0.licence_product": "P"}, held, "gpu.0.")
    assert name.split(":", 1)[1].strip() == "P" and told.split(":", 1)[1].strip() == status
    assert smi_stand_in.licence({}, held, "gpu.0.") == []


def test_the_package_is_called_a_stand_in():
    assert package.name_of("535.261.03") == "nvidia-linux-grid-535-stand-in"
    assert "stand-in" in package.control("535.261.03")
