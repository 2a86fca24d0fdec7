"""The site's key has taken the place of the host's own: enrolled and signing, while nobody trusts the old one."""

from __future__ import annotations

from tests import evidence

OLD = "DKMS module signing key"
NEW = "Site key of the test"


def test_every_module_is_signed_with_the_new_key(host):
    folder = f"/lib/modules/{evidence.newest_kernel(host)}/updates/dkms"
    assert set(host.check_output(f"modinfo -F signer {folder}/*.ko*").splitlines()) == {NEW}


def test_the_kernel_has_the_new_key_and_not_the_old_one(host):
    keys = host.check_output("keyctl list %:.machine")
    assert NEW in keys and OLD not in keys


def test_only_the_card_is_missing(host):
    assert "No such device" in host.run("modprobe nvidia-current").stderr


def test_the_next_build_is_signed_with_the_new_key(host):
    settings = host.check_output("cat /etc/dkms/framework.conf.d/gpufleet.conf")
    certificate = next(line.split("=", 1)[1].strip(" \"'") for line in settings.splitlines() if "certificate" in line)
    assert NEW in host.check_output(f"openssl x509 -inform DER -noout -subject -in {certificate}")


def test_the_facts_say_trusted(host):
    mok = host.ansible("gpufleet.nvidia.mok_facts", check=False)["ansible_facts"]["nvidia"]["mok"]
    assert mok["state"] == "trusted"
    assert mok["pending"] == {"enrol": [], "delete": []}
    enrolled = {row["sha1"] for row in mok["enrolled"]}
    assert all((row["sha1"] in enrolled) == (row["action"] == "enrol") for row in mok["requests"])
