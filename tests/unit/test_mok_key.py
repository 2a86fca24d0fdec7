"""The signing key pair: made, delivered, followed by another one; no power cut loses a key that is in use."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import time

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_pair as pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_key_apply import RETIRED
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.mok_key import ARGUMENT_SPEC
from tests.unit.mok_hosts import FOLDER, signature_list
from tests.unit.mok_machine import NOW, enrolled_list, everything, machine, needs_openssl, put, take
from tests.unit.rooted_system import PowerCut
from tests.unit.signed_modules import signed

pytestmark = needs_openssl
KEY, FILE = ARGUMENT_SPEC["private_key"]["default"], ARGUMENT_SPEC["certificate"]["default"]
NEXT_KEY, NEXT_FILE = pairs.successor(KEY), pairs.successor(FILE)
MODULE = f"{FOLDER}/nvidia-current.ko"


def call(system, *, apply=True, now=None, **options):
    params = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return _mok_key.ensure({**params, **options}, system, apply=apply, now=lambda: now or time.time())


@pytest.fixture
def system(tmp_path):
    return machine(tmp_path)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """(private key, certificate in DER) made elsewhere."""
    folder = tmp_path_factory.mktemp("foreign")
    return make(folder)


def make(folder, *words, subject="/CN=site"):
    argv = ["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-days", "99"]
    subprocess.run(
        [*argv, *words, "-keyout", folder / "k", "-outform", "DER", "-out", folder / "c"],
        check=True,
        capture_output=True,
    )
    return (folder / "k").read_text(), (folder / "c").read_bytes()


def pem(data):
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(data).decode()}-----END CERTIFICATE-----\n"


def sha1(system, path):
    return certificate.read(system.read_bytes(path)).sha1


def enrol(system, *paths):
    put(system, efi.path("MokListRT"), enrolled_list(*(system.read_bytes(path) for path in paths)))


def test_a_pair_is_made_once_and_belongs_together(system):
    checked = call(system, apply=False)
    assert checked["changed"] and checked["enrol"] == [FILE] and not system.exists(KEY)
    done = call(system)
    assert (done["changed"], done["steps"]) == (True, checked["steps"])
    assert system.stat(KEY)[0] == 0o600 and system.stat(FILE)[0] == 0o644
    again = call(system)
    assert not again["changed"] and again["sha1"] == done["sha1"] == sha1(system, FILE)
    assert again["enrol"] == [FILE] and again["successor"] is None and again["retired"] == []


def test_the_certificate_is_what_kernel_and_shim_want(system):
    call(system, days=99, bits=3072, common_name="gpu7: key, 2026")
    found = certificate.read(system.read_bytes(FILE))
    assert (found.is_ca, found.key_usage, found.key_bits) == (False, ["digitalSignature"], 3072)
    assert found.extended_key_usage == ["codeSigning", "moduleSigning"]
    assert found.subject == found.issuer == "CN=gpu7: key, 2026" and found.ski
    take(system, KEY), take(system, FILE)
    call(system, modules_only=False)
    assert certificate.read(system.read_bytes(FILE)).extended_key_usage == ["codeSigning"]


def test_nothing_of_the_private_key_is_shown(system, foreign):
    results = [call(system), call(system, rotate=True, apply=False), call(system, rotate=True)]
    text, data = foreign
    results.append(call(system, private_key_content=text, certificate_content=pem(data)))
    assert system.read(KEY) == text
    shown = everything(system) + json.dumps(results)
    secrets = [line for path in (KEY,) for line in system.read(path).splitlines() if len(line) > 40]
    assert len(secrets) > 20 and not any(line in shown for line in secrets)
    assert "PRIVATE KEY" not in shown


def test_a_pair_that_is_there_is_checked_and_closed(system, foreign):
    text, data = foreign
    put(system, "/var/lib/dkms/mok.key", text)
    put(system, "/var/lib/dkms/mok.pub", data)
    where = {"private_key": "/var/lib/dkms/mok.key", "certificate": "/var/lib/dkms/mok.pub"}
    result = call(system, **where)
    assert result["steps"] == ["Take /var/lib/dkms/mok.key away from everybody but root (mode 0600)"]
    assert system.read("/var/lib/dkms/mok.key") == text and system.stat("/var/lib/dkms/mok.key")[0] == 0o600
    assert not call(system, **where)["changed"]
    assert 'mok_signing_key="/var/lib/dkms/mok.key"' in result["dkms"]["content"]


def test_a_certificate_that_others_may_write_is_root_s_alone_again(system):
    call(system)
    written = system.read_bytes(FILE)
    os.chmod(system.here(FILE), 0o666)
    predicted = call(system, apply=False)
    assert predicted["steps"] == [f"Let root alone write {FILE}"]
    assert call(system)["steps"] == predicted["steps"]
    assert (system.read_bytes(FILE), system.stat(FILE)) == (written, (0o644, 0, 0))
    assert not call(system)["changed"]


def test_halves_that_do_not_belong_together_are_refused(system, foreign):
    call(system)
    put(system, FILE, foreign[1])
    with pytest.raises(NvidiaError, match="do not belong together"):
        call(system)


def test_a_certificate_without_its_key_is_not_replaced(system):
    call(system)
    take(system, KEY)
    for options in ({}, {"rotate": True}):
        with pytest.raises(NvidiaError, match=r"its private key .* is not. Put the key back"):
            call(system, **options)


def test_a_key_without_a_certificate_gets_one_and_stays(system):
    call(system)
    text = system.read(KEY)
    take(system, FILE)
    assert call(system)["steps"] == [f"Make a certificate for the private key {KEY}"]
    assert system.read(KEY) == text and not call(system)["changed"]


def test_an_encrypted_key_is_refused_with_what_to_do(system, tmp_path):
    text, data = make(tmp_path)
    words = ["openssl", "pkey", "-aes256", "-passout", "pass:secret-pass"]
    locked = subprocess.run(words, input=text, check=True, capture_output=True, text=True).stdout
    put(system, KEY, locked)
    put(system, FILE, data)
    with pytest.raises(NvidiaError, match=r"is encrypted.*openssl pkey -in KEY"):
        call(system)
    with pytest.raises(NvidiaError, match="private_key_content is encrypted"):
        call(machine(tmp_path / "other"), private_key_content=locked, certificate_content=pem(data))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"days": 0}, "1 to 36500"),
        ({"common_name": "a\nb"}, "common name"),
        ({"common_name": "$ENV::PATH"}, "common name"),
        ({"certificate": KEY}, "name the same file"),
        ({"private_key_content": "x"}, "two halves"),
        ({"private_key_content": "x", "certificate_content": "%%"}, "neither PEM nor base64"),
        ({"private_key": "/etc/os-release", "certificate": "/var/x.der"}, "no private key in PEM"),
    ],
)
def test_what_cannot_work_is_refused(system, options, sentence):
    with pytest.raises(NvidiaError, match=sentence):
        call(system, **options)


def test_a_delivered_key_that_is_none_is_not_shown(system, foreign):
    text = "-----BEGIN PRIVATE KEY-----\nCANARYCANARY\n-----END PRIVATE KEY-----"
    with pytest.raises(NvidiaError, match="cannot be read as a private key") as failure:
        call(system, private_key_content=text, certificate_content=pem(foreign[1]))
    assert "CANARY" not in str(failure.value)


def test_an_expired_delivered_pair_is_refused(system, foreign):
    with pytest.raises(NvidiaError, match=r"expired.*Deliver another one"):
        call(system, now=NOW + 400 * 86400, private_key_content=foreign[0], certificate_content=pem(foreign[1]))
    assert not system.exists(KEY)


def test_a_rotation_waits_until_the_firmware_trusts_the_new_key(system):
    old = call(system)["sha1"]
    enrol(system, FILE)
    checked = call(system, rotate=True, apply=False)
    done = call(system, rotate=True)
    assert done["steps"] == checked["steps"] and checked["enrol"] == done["enrol"] == [NEXT_FILE]
    assert done["sha1"] == old and done["successor"]["sha1"] == sha1(system, NEXT_FILE)
    for options in ({}, {"rotate": True}):
        assert not call(system, **options)["changed"]
    put(system, MODULE, signed(system, KEY, FILE, b"module"))
    new = done["successor"]["sha1"]
    enrol(system, FILE, NEXT_FILE)
    assert call(system, apply=False)["diff"]["after"] == {"pair": new, "successor": None, "retired": [old]}
    promoted = call(system)
    assert (promoted["sha1"], promoted["successor"], promoted["enrol"], promoted["revoke"]) == (new, None, [], [])
    (row,) = promoted["retired"]
    assert (row["sha1"], row["key"], row["signs"]) == (old, True, [MODULE])
    assert not call(system)["changed"] and not system.exists(NEXT_KEY)


def test_an_old_pair_goes_when_nothing_is_signed_with_it_the_certificate_when_it_is_not_enrolled(system):
    call(system)
    enrol(system, FILE)
    call(system, rotate=True)
    old, data = sha1(system, FILE), system.read_bytes(FILE)
    put(system, MODULE, signed(system, KEY, FILE, b"module"))
    enrol(system, FILE, NEXT_FILE)
    call(system)
    put(system, MODULE, signed(system, KEY, FILE, b"module"))
    freed = call(system)
    (row,) = freed["retired"]
    assert freed["changed"] and (row["sha1"], row["key"], row["signs"]) == (old, False, [])
    assert freed["revoke"] == [row["certificate"]] and system.read_bytes(row["certificate"]) == data
    assert not call(system)["changed"]
    enrol(system, FILE)
    gone = call(system)
    assert gone["changed"] and gone["retired"] == [] and system.entries(RETIRED) == []
    assert not call(system)["changed"]


def test_without_anybody_who_asks_for_signatures_the_new_pair_takes_over_at_once(tmp_path):
    system = machine(tmp_path)
    put(system, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
    put(system, "/sys/module/module/parameters/sig_enforce", "N\n")
    old = call(system)["sha1"]
    enrol(system, FILE)
    result = call(system, rotate=True)
    assert result["sha1"] != old and result["successor"] is None and result["enrol"] == [FILE]


def test_a_pair_that_nobody_trusts_is_replaced_at_once(system, foreign):
    old = call(system)["sha1"]
    put(system, efi.path("MokNew"), signature_list(system.read_bytes(FILE)))
    result = call(system, private_key_content=foreign[0], certificate_content=pem(foreign[1]))
    assert result["sha1"] == certificate.read(foreign[1]).sha1 and system.read(KEY) == foreign[0]
    cleaned = call(system, private_key_content=foreign[0], certificate_content=pem(foreign[1]))
    (row,) = cleaned["retired"]
    assert (row["sha1"], cleaned["revoke"]) == (old, [row["certificate"]])  # its request waits still
    assert not call(system, private_key_content=foreign[0], certificate_content=pem(foreign[1]))["changed"]


def test_another_delivery_puts_a_waiting_successor_aside(system, foreign, tmp_path):
    call(system)
    enrol(system, FILE)
    waiting = call(system, rotate=True)["successor"]["sha1"]
    delivery = {"private_key_content": foreign[0], "certificate_content": pem(foreign[1])}
    result = call(system, **delivery)
    assert result["successor"]["sha1"] == certificate.read(foreign[1]).sha1
    assert [row["sha1"] for row in result["retired"]] == [waiting]
    call(system, **delivery)
    assert not call(system, **delivery)["changed"]


def test_rotation_before_a_day_is_done_once(system):
    call(system)
    enrol(system, FILE)
    today = certificate.read(system.read_bytes(FILE)).not_before[:10]
    assert not call(system, rotate_before=today)["changed"]
    later = time.time() + 5 * 86400
    day = time.strftime("%Y-%m-%d", time.gmtime(later))
    assert call(system, rotate_before=day, now=later)["successor"]
    assert not call(system, rotate_before=day, now=later)["changed"]
    with pytest.raises(NvidiaError, match="lies ahead of today"):
        call(system, rotate_before=day)
    with pytest.raises(NvidiaError, match="it is a day"):
        call(system, rotate_before="soon")


def test_a_pair_in_use_is_not_removed_and_an_enrolled_certificate_is_kept_to_be_revoked(system):
    call(system)
    enrol(system, FILE)
    put(system, MODULE, signed(system, KEY, FILE, b"module"))
    with pytest.raises(NvidiaError, match="has signed 1 installed module"):
        call(system, state="absent")
    take(system, MODULE)
    data = system.read_bytes(FILE)
    result = call(system, state="absent")
    assert result["changed"] and not system.exists(KEY) and not system.exists(FILE)
    assert [system.read_bytes(path) for path in result["revoke"]] == [data]
    assert not call(system, state="absent")["changed"]
    enrol(system)
    call(system, state="absent")
    assert system.entries(RETIRED) == [] and not call(system, state="absent")["changed"]


def keys(system):
    """SHA-1 of every certificate whose private key is on the disk, wherever."""
    texts = {}
    for folder in ("/var/lib/gpufleet/mok", RETIRED):
        for name in system.entries(folder):
            if name.endswith(".key"):
                text = system.read(f"{folder}/{name}")
                texts[pairs.public_half(system, text, name)] = name
    return set(texts)


@pytest.mark.parametrize("cut", range(1, 14))
def test_whenever_the_power_goes_no_key_in_use_is_lost_and_the_next_run_ends_well(system, cut):
    call(system)
    enrol(system, FILE)
    call(system, rotate=True)
    put(system, MODULE, signed(system, KEY, FILE, b"module"))
    enrol(system, FILE, NEXT_FILE)
    before, wanted = keys(system), sha1(system, NEXT_FILE)
    system.changes_left = cut
    with contextlib.suppress(PowerCut):
        call(system)
    system.changes_left = None
    assert keys(system) == before
    result = call(system)
    assert (result["sha1"], result["successor"]) == (wanted, None)
    pairs.check(system, pairs.read(system, KEY, FILE))
    assert keys(system) == before and not call(system)["changed"]
    assert len(system.entries(RETIRED)) == 2


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_pair_that_was_being_made_is_made_in_the_next_run(system, cut):
    system.changes_left = cut
    with contextlib.suppress(PowerCut):
        call(system)
    system.changes_left = None
    call(system)
    pairs.check(system, pairs.read(system, KEY, FILE))
    assert not call(system)["changed"]
