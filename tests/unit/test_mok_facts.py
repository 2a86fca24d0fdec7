"""Secure Boot as one state: on the machine that was captured, on changed ones, and on those that ask for nothing."""

from __future__ import annotations

import itertools
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _kernel as kernel
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _secure_boot as secure_boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_state import STATES
from tests.unit.fake_system import FakeSystem
from tests.unit.mok_hosts import (
    ATTRIBUTES,
    BOOT_ID,
    DKMS,
    DKMS_SERIAL,
    DKMS_SHA1,
    FOLDER,
    KERNEL,
    NAMES,
    SIGNED_BY_DEBIAN,
    SIGNED_BY_DKMS,
    CountingSystem,
    captured,
    files,
    keys_with,
    signature_list,
)

OWN = read_certificate(DKMS)
SHIMS = efi.certificates(captured("efi/MokListRT")[4:])[0].der
ON, OFF = ATTRIBUTES + b"\1", ATTRIBUTES + b"\0"
PENDING = {"MokNew": captured("efi/MokNew")}
OTHER = "6.13.0-other"


def enrolled():
    return {**files(MokListRT=signature_list(SHIMS, DKMS)), "/proc/keys": keys_with(OWN.ski)}


def asked_before(action="enrol", boot_id="before"):
    rows = requests.remember([], OWN, action, boot_id, "2026-11-21T10:55:00Z")
    return {requests.PATH: json.dumps(rows)}


def with_modules(content, kernel_release=KERNEL, base=None):
    folder = FOLDER.replace(KERNEL, kernel_release)
    return {**(base or files()), **{f"{folder}/{name}.ko.xz": lzma.compress(content) for name in NAMES}}


def without(base, *words):
    return {path: content for path, content in base.items() if not any(word in path for word in words)}


CASES = {
    "as it was captured": (files(), "key_not_staged", "/var/lib/dkms/mok.pub"),
    "asked for": (files(**PENDING), "key_pending", "CN=DKMS module signing key"),
    "asked for, and MokManager never ran": ({**files(**PENDING), **asked_before()}, "key_pending", "--bootnext"),
    "dismissed": ({**files(), **asked_before()}, "key_dismissed", "restage: true"),
    "cancelled in this boot": ({**files(), **asked_before(boot_id=BOOT_ID)}, "key_not_staged", "nobody has asked"),
    "somebody else's dismissed": (
        {**files(), requests.PATH: json.dumps([{"sha1": "aa", "serial": "1", "action": "enrol", "boot_id": "x"}])},
        "key_not_staged",
        "nobody has asked",
    ),
    "enrolled": (enrolled(), "trusted", "nothing is to be done"),
    "enrolled, and to be removed": (
        {**enrolled(), efi.path("MokDel"): PENDING["MokNew"]},
        "trusted",
        "mokutil --revoke-delete",
    ),
    "enrolled and revoked": (files(MokListRT=signature_list(SHIMS, DKMS)), "key_not_staged", "revoked"),
    "in db": ({**files(db=signature_list(DKMS)), "/proc/keys": keys_with(OWN.ski)}, "trusted", "nothing"),
    "signed by the distribution": (with_modules(SIGNED_BY_DEBIAN), "trusted", "nothing"),
    "one unsigned": (
        {**enrolled(), f"{FOLDER}/nvidia-current-uvm.ko.xz": lzma.compress(b"module")},
        "unsigned",
        "nvidia-current-uvm",
    ),
    "one damaged": ({**enrolled(), f"{FOLDER}/nvidia-current-uvm.ko.xz": b"damaged"}, None, "nvidia-current-uvm"),
    "no module": (without(files(), "nvidia"), "no_module", "Install the driver"),
    "the next kernel's are pending": (
        with_modules(
            SIGNED_BY_DEBIAN,
            base={**with_modules(SIGNED_BY_DKMS, OTHER, files(**PENDING)), f"/boot/vmlinuz-{OTHER}": ""},
        ),
        "key_pending",
        "confirmation",
    ),
    "the next kernel has none": (
        {**enrolled(), f"/boot/vmlinuz-{OTHER}": "", f"/lib/modules/{OTHER}/x": ""},
        "trusted",
        KERNEL,
    ),
    "not booted by shim": (without(files(), "MokListRT"), "key_not_staged", "into the firmware's db"),
    "variables hidden": (without(files(), "efivars"), None, "Run as root"),
    "no EFI, and locked down": (without(files(), "/sys/firmware"), "no_firmware_support", "lockdown="),
    "no EFI, locked down, signed by the distribution": (
        without(with_modules(SIGNED_BY_DEBIAN), "/sys/firmware"),
        "trusted",
        "nothing",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_machine_has_its_state_and_next_step(case):
    content, state, words = CASES[case]
    facts = mok.observe(FakeSystem(content))
    assert (facts["state"], words in facts["next_step"]) == (state, True), facts["next_step"]
    assert facts["state"] in (*STATES, None)
    assert facts["next_step"].endswith(".")
    json.dumps(facts)


def test_every_state_has_a_case():
    quiet = {"disabled"}  # below
    assert {state for _content, state, _words in CASES.values()} >= set(STATES) - quiet


def test_the_captured_machine_is_what_mokutil_and_modinfo_said_of_it():
    facts = mok.observe(FakeSystem(files(), which=["mokutil"]))
    assert (facts["firmware"], facts["secure_boot"], facts["lockdown"]) == ("uefi", "enabled", "integrity")
    assert (facts["validation"], facts["shim"], facts["enforced"]) == (True, True, True)
    assert facts["mokutil"] == "/usr/bin/mokutil"
    assert [(row["sha1"][:10], row["source"]) for row in facts["enrolled"]] == [
        ("53610cf81f", "mok"),
        ("580a6f4cc4", "db"),
        ("46def63b5c", "db"),
    ]
    assert (facts["pending"], facts["requests"]) == ({"enrol": [], "delete": []}, [])
    assert [(row["path"], row["sha1"]) for row in facts["certificates"]] == [("/var/lib/dkms/mok.pub", DKMS_SHA1)]
    assert [row["name"] for row in facts["modules"]] == list(NAMES)
    assert {(row["serial"], row["signer"], row["trusted"]) for row in facts["modules"]} == {
        (DKMS_SERIAL, "DKMS module signing key", False)
    }


def test_who_trusts_a_module_is_told():
    by = [
        {row["trusted_by"] for row in mok.observe(FakeSystem(content))["modules"]}
        for content in (enrolled(), CASES["in db"][0], with_modules(SIGNED_BY_DEBIAN), files(**PENDING))
    ]
    assert by == [{"mok"}, {"db"}, {"builtin"}, {"pending"}]


def test_a_request_has_its_time_out():
    facts = mok.observe(FakeSystem(files(**PENDING, MokTimeout=captured("efi/MokTimeout"))))
    assert (facts["timeout"], [row["sha1"] for row in facts["pending"]["enrol"]]) == (60, [DKMS_SHA1])


def test_the_certificate_that_dkms_is_told_to_use_is_found():
    place = {
        "/etc/dkms/framework.conf.d/site.conf": 'mok_certificate="/etc/keys/site.pem"\n',
        "/etc/keys/site.pem": DKMS,
    }
    facts = mok.observe(FakeSystem({**without(files(), "mok.pub"), **place}))
    assert [row["path"] for row in facts["certificates"]] == ["/etc/keys/site.pem"]
    assert "/etc/keys/site.pem" in facts["next_step"]


def test_a_module_that_the_running_kernels_built_in_key_signed_needs_no_other_module_beside_it():
    content = without(with_modules(SIGNED_BY_DEBIAN), "modules.dep")
    assert mok.observe(FakeSystem(content))["state"] == "trusted"
    hidden = {**content, "/proc/keys": ""}
    assert mok.observe(FakeSystem(hidden))["state"] is None, "a user sees no keyrings"


def test_a_user_is_not_told_that_nobody_has_asked():
    class User(FakeSystem):
        def read_bytes(self, path, limit=None):
            hidden = "mok-variables" in path or "MokNew" in path
            return None if hidden else super().read_bytes(path, limit)

    facts = mok.observe(User({**files(**PENDING), "/proc/keys": ""}))
    assert (facts["state"], facts["keyrings"], facts["pending"]["enrol"]) == (None, None, None)
    assert "Run as root" in facts["next_step"]


def test_the_large_module_is_left_alone_where_a_quick_answer_is_wanted():
    system = CountingSystem(files())
    quick = secure_boot.observe(system, kernel.observe(system))
    assert f"{FOLDER}/nvidia-current.ko.xz" not in system.opened
    assert system.opened.count(f"{FOLDER}/nvidia-current-modeset.ko.xz") == 1
    assert quick["modules"][0]["read_from"] == f"{FOLDER}/nvidia-current-modeset.ko.xz"
    whole = secure_boot.observe(system, kernel.observe(system), whole=True)
    assert f"{FOLDER}/nvidia-current.ko.xz" in system.opened
    assert (quick["state"], len(quick["modules"])) == (whole["state"], len(whole["modules"]))
    assert system.ran == []


LOOSE = {"/sys/kernel/security/lockdown": "[none] integrity confidentiality\n"}
QUIET = {
    "disabled": ({**files(SecureBoot=OFF), **LOOSE}, "disabled", "disabled"),
    "setup mode": ({**files(SecureBoot=OFF, SetupMode=ON), **LOOSE}, "disabled", "setup mode"),
    "switched off in shim": ({**files(MokSBStateRT=ON), **LOOSE}, "disabled", "--disable-validation"),
    "a kernel that does not care": ({**files(), **LOOSE}, "disabled", "all the same"),
    "EFI without Secure Boot": ({**without(files(), "SecureBoot-"), **LOOSE}, "no_firmware_support", "no Secure Boot"),
    "BIOS": (
        {**without(files(), "/sys/"), "/sys/firmware/acpi/x": "", **LOOSE},
        "no_firmware_support",
        "no Secure Boot",
    ),
    "BIOS without lockdown": ({**without(files(), "/sys/"), "/sys/firmware/acpi/x": ""}, "no_firmware_support", "no"),
    "variables not mounted": ({**without(files(), "efivars"), **LOOSE}, "disabled", "cannot be read"),
    "a container": ({"/sys/firmware/efi/runtime": ""}, None, "as in a container"),
    "nothing at all": ({}, None, "as in a container"),
}


@pytest.mark.parametrize("case", QUIET)
def test_where_no_signature_is_asked_for_no_key_and_no_module_is_read(case):
    content, state, words = QUIET[case]
    content = {path: text for path, text in content.items() if not path.endswith("sig_enforce")}
    system = CountingSystem(content)
    facts = secure_boot.observe(system, kernel.observe(system))
    assert (facts["state"], words in facts["next_step"]) == (state, True), facts["next_step"]
    assert not facts["enforced"]
    assert not [path for path in system.opened if "modules" in path or "List" in path or "dkms" in path]
    assert system.ran == []
    whole = secure_boot.observe(system, kernel.observe(system), whole=True)
    assert whole["modules"] == []
    assert set(whole) == set(facts) == set(mok.observe(FakeSystem(files())))
    assert (whole["state"], whole["next_step"]) == (facts["state"], facts["next_step"])


@pytest.mark.parametrize(
    ("secure_boot_byte", "setup_mode", "others", "expected"),
    [
        (b"\1", b"\0", True, "enabled"),
        (b"\0", b"\0", True, "disabled"),
        (b"\0", b"\1", True, "setup_mode"),
        (b"\1", None, True, "enabled"),
        (None, None, True, "unsupported"),
        (None, None, False, "unknown"),
        (b"", b"", True, "unsupported"),
    ],
)
def test_secure_boot_is_read_of_its_variables(secure_boot_byte, setup_mode, others, expected):
    assert secure_boot.parse_secure_boot(secure_boot_byte, setup_mode, others) == expected


def test_every_combination_of_firmware_and_kernel_is_decided():
    words = ("enabled", "disabled", "setup_mode", "unsupported", "unknown")
    for state, lockdown, validation, sig_enforce in itertools.product(
        words, ("none", "integrity", "confidentiality", None), (True, False, None), ("Y", "N", "")
    ):
        facts = {"secure_boot": state, "lockdown": lockdown, "validation": validation, "firmware": "uefi"}
        facts["enforced"] = secure_boot.enforced(facts, sig_enforce)
        strict = sig_enforce == "Y" or lockdown in ("integrity", "confidentiality")
        assert facts["enforced"] is True or not strict
        if not facts["enforced"]:
            name, sentence = secure_boot.without_enforcement(facts)
            assert name in ("disabled", "no_firmware_support", None)
            assert (name is None) == (facts["enforced"] is None)
            assert sentence.endswith(".")


@given(
    st.sampled_from([None, b"", ON, b"\7\0"]),
    st.dictionaries(
        st.sampled_from(["MokListRT", "db", "MokNew", "MokDel", "MokTimeout", "MokSBStateRT"]), st.binary(max_size=60)
    ),
    st.text(max_size=60),
    st.binary(max_size=60),
    st.text(max_size=60),
)
def test_no_machine_is_too_strange(state, variables, keys, module, memory):
    content = files(SecureBoot=state, **variables)
    content.update({"/proc/keys": keys, f"{FOLDER}/nvidia-current-drm.ko.xz": module, requests.PATH: memory})
    facts = mok.observe(FakeSystem(content))
    assert facts["state"] in (*STATES, None)
    json.dumps(facts)
