"""Who signs the modules, in which order, and when nothing is left to do."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import fingerprint
from tests.unit.golden.converged import NEW, OLD, converged
from tests.unit.golden.hosts import codes, host, kernel, text_of
from tests.unit.mok_facts_of import (
    DKMS,
    OTHER,
    SHA1,
    dismissed,
    fresh,
    key,
    mok,
    pending,
    request,
    signed,
    untrusted,
)

OWN = "/var/lib/gpufleet/mok/signing.der"
DER = b"0\x82 a certificate in DER"
BASE64 = base64.b64encode(DER).decode()
SITE = f"-----BEGIN CERTIFICATE-----\n{BASE64}\n-----END CERTIFICATE-----\n"
SITE_SHA1 = hashlib.sha1(DER, usedforsecurity=False).hexdigest()
RUNFILE = {"method": "runfile", "runfile": {"src": "/srv/NVIDIA-Linux-x86_64-535.261.03.run", "sha256": "0" * 64}}


def plan(facts_of_mok, wants=None, platform="debian-12"):
    facts = converged() if platform == "debian-12" else host(platform, "a100")
    return driver_plan({**facts, "mok": facts_of_mok}, wants or {})


def part(*args, **kwargs):
    return plan(*args, **kwargs)["secure_boot"]


@pytest.mark.parametrize(
    ("platform", "wants", "way"),
    [
        ("debian-12", {}, "host_key"),
        ("debian-12", {"mok_certificate": SITE}, "site_key"),
        ("ubuntu-24.04", {}, "precompiled"),
        ("ubuntu-24.04", {"mok_certificate": SITE}, "precompiled"),
        ("ubuntu-24.04", {"method": "repository", "mok_certificate": SITE}, "site_key"),
        ("ubuntu-24.04", {"method": "repository"}, "host_key"),
        ("debian-12", {"secure_boot": "require"}, "host_key"),
        ("debian-12", {"secure_boot": "ignore"}, "none"),
        ("ubuntu-24.04", {"secure_boot": "ignore"}, "none"),
        ("debian-12", {"state": "absent"}, "none"),
    ],
)
def test_signed_modules_come_before_the_site_s_key_and_that_before_the_host_s(platform, wants, way):
    found = plan(fresh(), wants, platform)
    assert found["secure_boot"]["way"] == way
    assert found["secure_boot"]["sign"] is (way in ("site_key", "host_key"))
    assert ("secure_boot" in found["why"]) is (way != "none")


@pytest.mark.parametrize("state", ["disabled", "no_firmware_support"])
def test_nothing_is_done_where_nobody_asks_for_signatures(state):
    found = plan(mok(state, enforced=False))
    assert not any({**found["secure_boot"], "mode": "", "way": ""}.values()) and "secure_boot" not in found["why"]
    assert not any(
        code.startswith("secure_boot") for level in ("error", "warning", "note") for code in codes(found, level)
    )


def test_a_kernel_of_another_machine_asks_this_one_for_nothing():
    facts = host("debian-12", "p40", kernel=kernel(OLD, running="6.8.12-host"), mok=fresh())
    assert driver_plan(facts, {"kernels": ["installed"]})["secure_boot"]["way"] == "none"


@pytest.mark.parametrize(
    ("certificates", "enrolled", "wants", "chosen"),
    [
        ([], [], {}, OWN),
        ([DKMS], [], {}, DKMS),
        (["/var/lib/shim-signed/mok/MOK.der"], [], {}, "/var/lib/shim-signed/mok/MOK.der"),
        (["/etc/elsewhere.der"], [], {}, OWN),
        ([DKMS, OWN], [], {}, OWN),
        ([OWN, DKMS], [DKMS], {}, DKMS),
        ([DKMS], [DKMS], {"mok_certificate": SITE}, OWN),
        ([DKMS], [DKMS], {"signing_key": "/k.key", "signing_certificate": "/k.der"}, "/k.der"),
    ],
)
def test_a_pair_that_is_there_is_taken_and_an_enrolled_one_first(certificates, enrolled, wants, chosen):
    sha1 = {path: f"{place:040x}" for place, path in enumerate(certificates)}
    rows = [key(sha1[path], path=path) for path in certificates]
    found = part(mok(certificates=rows, enrolled=[key(sha1[path]) for path in enrolled]), wants)
    assert found["certificate"] == chosen
    assert found["private_key"] not in (None, chosen)


def test_a_host_on_which_all_is_done_needs_nothing():
    found = plan(mok())
    assert found["secure_boot"]["settled"] is True
    assert "secure_boot_untrusted" not in codes(found, "warning")
    assert part(mok(requests=[request()]))["settled"] is True, "a request that has come true is done"


SETTLED_NO_MORE = {
    "not enrolled": {"enrolled": []},
    "waits": {"pending": {"enrol": [key(OTHER)], "delete": []}},
    "a removal waits": {"pending": {"enrol": [], "delete": [key(OTHER)]}},
    "unreadable": {"pending": {"enrol": None, "delete": None}},
    "a removal was refused": {"requests": [request(OTHER, "delete")], "enrolled": [key(), key(OTHER)]},
    "signed by another": {"modules": [signed(OTHER, by="mok")], "enrolled": [key(), key(OTHER)]},
    "unsigned for another kernel": {"modules": [signed(by="mok"), signed(None, NEW)]},
    "nothing built": {"modules": []},
    "no certificate": {"certificates": []},
    "unreadable module": {"modules": [signed(by="mok", trusted=None)]},
}


@pytest.mark.parametrize("changes", SETTLED_NO_MORE.values(), ids=SETTLED_NO_MORE)
def test_what_is_left_to_do_is_seen(changes):
    assert part(mok(**changes))["settled"] is False


@pytest.mark.parametrize(("day", "settled"), [(None, True), ("2026-06-01", True), ("2026-06-02", False)])
def test_a_key_that_is_too_old_is_followed_by_another(day, settled):
    assert part(mok(), {"mok_rotate_before": day})["settled"] is settled


@pytest.mark.parametrize(("sha1", "settled"), [(SITE_SHA1, True), (SHA1, False)])
@pytest.mark.parametrize("content", [SITE, BASE64])
def test_another_key_of_the_site_takes_over(content, sha1, settled):
    facts = mok(certificates=[key(sha1, path=OWN)], enrolled=[key(sha1)], modules=[signed(sha1, by="mok")])
    assert part(facts, {"mok_certificate": content})["settled"] is settled


@pytest.mark.parametrize(
    ("enrolled", "dkms"), [([], True), ([DKMS], False), ([DKMS, OWN], True), ([OWN], True)], ids=str
)
def test_dkms_goes_on_with_a_trusted_key_until_the_new_one_is_trusted(enrolled, dkms):
    sha1 = {DKMS: SHA1, OWN: SITE_SHA1}
    rows = [key(sha1[path], path=path) for path in (DKMS, OWN)]
    facts = mok(certificates=rows, enrolled=[key(sha1[path]) for path in enrolled])
    assert part(facts, {"mok_certificate": SITE})["dkms"] is dkms


def test_a_runfile_signs_with_the_same_key():
    runfile = driver_plan({**host("debian-12", "p40"), "mok": untrusted()}, RUNFILE)["runfile"]
    assert (runfile["signing_key"], runfile["signing_certificate"]) == ("/var/lib/dkms/mok.key", DKMS)


ERRORS = {
    "off": (
        mok("disabled", enforced=False, secure_boot="disabled"),
        {"secure_boot": "require"},
        "secure_boot_required",
    ),
    "setup mode": (mok(enforced=False, secure_boot="setup_mode"), {"secure_boot": "require"}, "secure_boot_required"),
    "hidden": (mok(enforced=False, secure_boot="unknown"), {"secure_boot": "require"}, "secure_boot_required"),
    "no validation": (mok(enforced=False), {"secure_boot": "require"}, "secure_boot_required"),
    "bios": (
        mok(enforced=False, secure_boot="unsupported", firmware="bios"),
        {"secure_boot": "require"},
        "secure_boot_no_firmware",
    ),
    "lockdown without EFI": (mok("no_firmware_support", firmware="bios", enrolled=[]), {}, "secure_boot_no_firmware"),
    "dismissed": (dismissed(), {}, "secure_boot_key_dismissed"),
    "key alone": (fresh(), {"signing_key": "/k"}, "signing_pair_incomplete"),
    "certificate alone": (fresh(), {"mok_certificate": SITE, "mok_private_key": False}, "signing_pair_incomplete"),
    "secret alone": (fresh(), {"mok_private_key": True}, "signing_pair_incomplete"),
    "password": (fresh(), {"mok_password": False}, "mok_password_unfit"),
    "console": (fresh(), {"mok_console": {"tcp": "a:1", "socket": "/s"}}, "mok_console_invalid"),
}


@pytest.mark.parametrize(("facts", "wants", "code"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_work_is_refused_with_a_sentence(facts, wants, code):
    found = plan(facts, wants)
    assert codes(found) == [code]
    assert len(text_of(found, code)) > 60 and "None" not in text_of(found, code)


def test_a_dismissed_request_is_made_again_when_a_person_says_so():
    found = plan(dismissed(), {"mok_restage": True})
    assert codes(found) == [] and found["secure_boot"]["stage"] is True


def test_a_removal_that_was_refused_is_not_asked_for_again_by_itself():
    facts = mok(enrolled=[key(), key(OTHER)], requests=[request(OTHER, "delete")])
    console = {"mok_console": {"socket": "/s"}}
    assert codes(plan(facts, console), "warning") == ["secure_boot_removal_dismissed"]
    assert [part(facts, wants)["revoke"] for wants in (console, {**console, "mok_restage": True}, {})] == [
        False,
        True,
        False,
    ]


def test_without_shim_nobody_is_asked_and_the_owner_is_told():
    found = plan({**untrusted(), "shim": False})
    assert codes(found, "warning") == ["secure_boot_no_shim"] and found["secure_boot"]["stage"] is False


def test_an_image_is_signed_for_the_machines_that_boot_from_it():
    wants = {"secure_boot": "require", "gpu_required": False, "mok_certificate": SITE}
    found = plan(mok(enforced=False, secure_boot="unknown", firmware="unknown"), wants)
    chosen = found["secure_boot"]
    assert codes(found) == [] and "secure_boot_image" in codes(found, "note")
    assert (chosen["way"], chosen["sign"], chosen["stage"]) == ("site_key", True, False)


def test_facts_without_the_subset_are_no_exception():
    facts = converged(**{"system.secure_boot": "enabled"})
    found = driver_plan(facts, {})["secure_boot"]
    assert (found["way"], found["stage"], found["settled"], found["certificate"]) == ("host_key", True, False, OWN)


def test_who_must_be_at_the_console_is_told_before():
    assert "a person" in text_of(plan(pending()), "secure_boot_untrusted")
    assert "playbook" in text_of(plan(pending(), {"mok_console": {"socket": "/s"}}), "secure_boot_untrusted")


@given(st.text(max_size=80))
def test_any_text_for_a_certificate_is_no_exception(text):
    found = fingerprint(text)
    assert found is None or len(found) == 40
