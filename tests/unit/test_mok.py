"""Requests to MokManager: staged once, told from an enrolled key and a dismissed one, without a trace of the word."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_stage as stage
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_request import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.mok import ARGUMENT_SPEC
from tests.unit.mok_hosts import DKMS, DKMS_SHA1, captured, signature_list
from tests.unit.mok_machine import (
    BOOT,
    MOKUTILS,
    NOW,
    enrolled_list,
    everything,
    machine,
    needs_openssl,
    put,
    reboot,
    take,
)

pytestmark = needs_openssl
PATH = "/var/lib/dkms/mok.pub"
WORD = "Canary-4711"
OTHER = read_certificate(efi.certificates(captured("efi/MokListRT")[4:])[0].der)  # a certificate that is not DKMS's


def call(system, *, apply=True, **options):
    params = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    params.update({"certificate": None if options.get("content") else PATH, "password": WORD, **options})
    return ensure(params, system, apply=apply, now=lambda: NOW)


def waiting(system, action="enrol"):
    return stage.waiting(system, action)


@pytest.fixture(params=MOKUTILS)
def system(request, tmp_path):
    return machine(tmp_path, request.param)


def test_a_request_is_staged_once_and_check_mode_says_the_same(system):
    checked = call(system, apply=False, timeout=60)
    assert waiting(system) == [] and not system.exists(requests.PATH)
    done = call(system, timeout=60)
    assert done == checked
    assert (done["changed"], done["status"], done["reboot_required"]) == (True, "pending", True)
    assert done["diff"] == {
        "before": {"status": "absent", "timeout": 10},
        "after": {"status": "pending", "timeout": 60},
    }
    assert waiting(system) == [DKMS_SHA1] and efi.parse_number(efi.value(system, "MokTimeout")) == 60
    again = call(system, timeout=60)
    assert (again["changed"], again["steps"], again["status"]) == (False, [], "pending")


def test_the_request_is_remembered_for_root_and_nothing_else_is_left(system):
    call(system)
    (row,) = requests.read(system)
    assert (row["sha1"], row["action"], row["time"]) == (DKMS_SHA1, "enrol", "2026-11-21T10:00:00Z")
    assert system.stat(requests.PATH)[0] == 0o600
    assert system.entries(stage.FOLDER) == [] and system.stat(stage.FOLDER)[0] == 0o700


def test_the_password_is_seen_nowhere(system):
    result = call(system)
    confirmed = call(system)
    changed = call(system, password="Other-canary")
    with pytest.raises(NvidiaError) as failure:
        call(system, password=f"{WORD} far too long")
    shown = everything(system) + json.dumps([result, confirmed, changed]) + str(failure.value)
    assert WORD not in shown and "Other-canary" not in shown
    assert "$6$" not in json.dumps([result, confirmed, changed])
    assert not any("$6$" in word for words in system.argv for word in words)


def test_a_request_with_another_password_is_made_anew(system):
    call(system)
    changed = call(system, password="Other-word1")
    assert changed["changed"] and len(changed["steps"]) == 2 and changed["diff"]["before"] == changed["diff"]["after"]
    assert waiting(system) == [DKMS_SHA1]
    assert not call(system, password="Other-word1")["changed"]
    assert not call(system, password=None)["changed"]


def test_pem_is_converted_and_content_will_do(system):
    import base64

    body = base64.encodebytes(DKMS).decode()
    pem = f"Some text before\n-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    put(system, PATH, pem)
    assert call(system)["sha1"] == DKMS_SHA1 and waiting(system) == [DKMS_SHA1]
    assert not call(system, content=pem)["changed"]
    assert not call(system, content=base64.b64encode(DKMS).decode())["changed"]


def test_a_key_that_is_enrolled_needs_nothing_and_is_forgotten(system):
    call(system)
    reboot(system, [DKMS])
    result = call(system, password=None)
    assert (result["changed"], result["status"], result["source"]) == (False, "enrolled", "mok")
    assert requests.read(system) == [] and "nothing is to be done" in result["next_step"]


def test_a_request_that_came_true_is_forgotten_with_the_next_one(system):
    put(system, "/var/lib/other.der", OTHER.der)
    put(system, efi.path("MokListRT"), signature_list())
    call(system, certificate="/var/lib/other.der")
    reboot(system, [OTHER.der])
    call(system)
    assert [row["sha1"] for row in requests.read(system)] == [DKMS_SHA1]


def test_a_key_in_the_firmware_s_own_list_is_enrolled(tmp_path):
    system = machine(tmp_path, db=signature_list(DKMS))
    assert (call(system)["changed"], call(system)["source"]) == (False, "db")
    with pytest.raises(NvidiaError, match=r"own list \(db\)"):
        call(system, state="absent")


def test_a_dismissed_request_is_made_again_only_when_that_is_said(system):
    call(system)
    reboot(system)
    for apply in (False, True):
        with pytest.raises(NvidiaError, match=r"2026-11-21T10:00:00Z.*is gone: nobody confirmed.*restage: true"):
            call(system, apply=apply)
    assert waiting(system) == []
    assert call(system, restage=True)["changed"] and waiting(system) == [DKMS_SHA1]
    assert not call(system, restage=True)["changed"]
    assert not call(system)["changed"]


def test_a_request_that_somebody_else_withdrew_is_not_made_again_either(system):
    call(system)
    for name in ("MokNew", "MokAuth"):
        take(system, efi.path(name))
    with pytest.raises(NvidiaError, match=r"somebody has withdrawn it.*restage"):
        call(system)


def test_a_request_made_by_hand_is_remembered_too(system):
    put(system, efi.path("MokNew"), signature_list(DKMS))
    put(system, efi.path("MokAuth"), bytes(36))  # the form of mokutil's first versions
    assert not call(system, password=None)["changed"]
    reboot(system)
    with pytest.raises(NvidiaError, match="restage: true"):
        call(system)


def test_a_request_that_survived_a_boot_says_that_mokmanager_did_not_start(system):
    call(system)
    put(system, BOOT, "another\n")
    result = call(system)
    assert not result["changed"] and "efibootmgr --bootnext" in result["next_step"]


def test_removal_is_staged_once_and_remembered(system):
    reboot(system, [DKMS])
    result = call(system, state="absent")
    assert (result["changed"], result["status"], waiting(system, "delete")) == (True, "pending_removal", [DKMS_SHA1])
    assert "Delete MOK" in result["next_step"]
    assert not call(system, state="absent")["changed"]
    reboot(system, [DKMS])
    with pytest.raises(NvidiaError, match="asked to remove"):
        call(system, state="absent")
    reboot(system)
    assert call(system, state="absent", password=None)["status"] == "absent" and requests.read(system) == []


def test_what_is_wanted_enrolled_again_loses_its_removal(system):
    reboot(system, [DKMS])
    call(system, state="absent", timeout=300)
    result = call(system, password=None)
    assert (result["changed"], result["status"], result["timeout"]) == (True, "enrolled", None)
    assert waiting(system, "delete") == [] and not system.exists(efi.path("MokTimeout"))


@pytest.mark.parametrize("state", ["absent", "cancelled"])
def test_a_request_is_withdrawn_with_its_patience_and_can_be_made_again(system, state):
    call(system, timeout=-1)
    result = call(system, state=state, password=None)
    assert (result["changed"], result["status"], waiting(system)) == (True, "absent", [])
    assert not system.exists(efi.path("MokTimeout")) and requests.read(system) == []
    assert not call(system, state=state, password=None)["changed"]
    assert call(system)["changed"]


def test_others_wait_on_when_one_request_is_withdrawn(system):
    put(system, efi.path("MokListRT"), signature_list())
    put(system, efi.path("MokNew"), signature_list(OTHER.der))
    put(system, efi.path("MokAuth"), bytes(176))
    result = call(system, timeout=60)
    assert result["others"] == [OTHER.subject] and set(waiting(system)) == {DKMS_SHA1, OTHER.sha1}
    call(system, password="Other-word1")
    assert set(waiting(system)) == {DKMS_SHA1, OTHER.sha1}
    call(system, state="cancelled")
    assert waiting(system) == [OTHER.sha1] and efi.parse_number(efi.value(system, "MokTimeout")) == 60
    every = call(system, state="cancelled", certificate=None, password=None)
    assert (every["changed"], every["status"], waiting(system)) == (True, "absent", [])
    assert not call(system, state="cancelled", certificate=None)["changed"]


def test_ten_seconds_are_mokmanager_s_own(system):
    assert call(system, timeout=10)["timeout"] is None
    assert not system.exists(efi.path("MokTimeout"))
    assert call(system, timeout=-1)["steps"] == ["Have MokManager wait for ever for somebody"]
    assert call(system, timeout=10)["changed"] and not system.exists(efi.path("MokTimeout"))


def test_what_mokutil_did_is_looked_at_and_not_its_exit_code(tmp_path):
    system = machine(tmp_path)
    system.programs["mokutil"] = lambda *_arguments: Result(0, "", "Failed to enroll new keys: No space left on device")
    with pytest.raises(NvidiaError, match=r"variables have not changed.*variable store is full"):
        call(system)
    assert requests.read(system) == [] and system.entries(stage.FOLDER) == []


REFUSALS = [
    ({"mounts": "sysfs /sys sysfs rw 0 0\n"}, "nothing is mounted on /sys/firmware/efi/efivars"),
    ({"mounts": f"efivarfs {efi.EFIVARS} efivarfs ro 0 0\n"}, "mounted read-only"),
    ({"gone": ("MokListRT", "MokListXRT", "SbatLevelRT")}, "did not boot through shim"),
    ({"gone": ("SecureBoot",)}, "knows no Secure Boot"),
    ({"programs": {"mokutil": None}}, "Install the package mokutil"),
    ({"programs": {"openssl": None}}, "Install the package openssl"),
    ({"programs": {"stat": lambda *_words: Result(0, "262044 900 1\n", "")}}, "store is full: 900 bytes are free"),
    ({"password": None}, "needs a password"),
    ({"password": "short"}, "8 to 16"),
    ({"password": "a" * 17}, "17 characters"),
    ({"password": "mit Abstand"}, "or a space"),
    ({"password": "müsliriegel"}, "US layout"),
    ({"timeout": 40000}, "0 to 32767"),
    ({"certificate": "/var/lib/nothing.der"}, "is not on this host"),
    ({"certificate": None}, "Name the certificate"),
    ({"content": "AAAA", "certificate": None}, "not a certificate"),
    ({"content": "%%%", "certificate": None}, "neither PEM nor base64"),
    ({"revoked": True}, "is revoked"),
]


@pytest.mark.parametrize(("case", "sentence"), REFUSALS, ids=[sentence for _case, sentence in REFUSALS])
def test_what_cannot_work_is_refused_before_anything_is_staged(tmp_path, case, sentence):
    system = machine(tmp_path, dbx=signature_list(DKMS) if case.pop("revoked", False) else None)
    for name in case.pop("gone", ()):
        if system.exists(efi.path(name)):
            take(system, efi.path(name))
    put(system, "/proc/mounts", case.pop("mounts", None) or system.read("/proc/mounts"))
    system.programs.update(case.pop("programs", {}))
    for apply in (False, True):
        with pytest.raises(NvidiaError, match=sentence) as failure:
            call(system, apply=apply, **case)
        assert not apply or "." in str(failure.value)
    assert waiting(system) == [] and requests.read(system) == []


def test_a_host_without_efi_has_no_key_and_takes_none(tmp_path):
    system = machine(tmp_path)
    (tmp_path / "sys/firmware/efi").rename(tmp_path / "sys/firmware/bios")
    with pytest.raises(NvidiaError, match="has no EFI firmware"):
        call(system)
    for state in ("absent", "cancelled"):
        result = call(system, state=state)
        assert (result["changed"], result["status"]) == (False, "absent")


def test_an_enrolled_list_of_the_tests_is_read_as_shim_s(tmp_path):
    system = machine(tmp_path, MokListRT=enrolled_list(DKMS))
    assert call(system)["status"] == "enrolled"
