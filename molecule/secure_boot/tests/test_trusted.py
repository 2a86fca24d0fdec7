"""The key is enrolled: firmware, kernel and module agree, each asked for itself, and the facts say so as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import evidence

CERTIFICATE = "/var/lib/dkms/mok.pub"
SIGNER = "DKMS module signing key"
PASSWORDS = ("Canary4711right", "Canary0815wrong")


def test_shim_has_the_key_in_its_list(host):
    assert "is already enrolled" in host.run(f"mokutil --test-key {CERTIFICATE}").stdout


def test_the_kernel_has_the_key_that_signed_the_module(host):
    assert evidence.modinfo(host, evidence.newest_kernel(host), "signer") == SIGNER
    assert SIGNER in host.check_output("keyctl list %:.machine")


def test_only_the_card_is_missing(host):
    refusal = host.run("modprobe nvidia-current")
    assert "No such device" in refusal.stderr
    assert "NVRM: No NVIDIA GPU found." in host.check_output("dmesg")


def test_the_facts_say_trusted_and_every_request_came_true(host):
    mok = host.ansible("gpufleet.nvidia.mok_facts", check=False)["ansible_facts"]["nvidia"]["mok"]
    assert (mok["state"], mok["pending"]["enrol"]) == ("trusted", [])
    assert {row["sha1"] for row in mok["requests"]} <= {row["sha1"] for row in mok["enrolled"]}
    assert {row["trusted_by"] for row in mok["modules"]} == {"mok"}


def test_what_the_collection_keeps_is_root_s_alone(host):
    for name in host.file("/var/lib/gpufleet/mok").listdir():
        kept = host.file(f"/var/lib/gpufleet/mok/{name}")
        assert (kept.user, kept.mode & 0o077) == ("root", 0) or name.endswith(".der"), name


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_run_at_the_highest_verbosity_keeps_the_passwords(password):
    words = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "vvvv.log").read_text(encoding="utf-8")
    assert "outcome" in words and "wrong_password" in words, "the run did not come to where the password is typed"
    assert "Using module file" in words, "the run was not as talkative as it should have been"
    assert password not in words


def test_no_file_of_the_host_has_a_password(host):
    places = "/etc /root /run /tmp /var/lib/gpufleet /var/log /var/tmp"
    assert host.run(f"grep -rlF -e Canary {places}").stdout == ""
    assert host.run("journalctl --no-pager --output=cat | grep -F -e Canary").stdout == ""
