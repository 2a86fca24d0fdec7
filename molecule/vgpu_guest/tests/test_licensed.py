"""A licence that is really there, seen past the collection: by NVML and nvidia-smi, which are stand-ins here."""

from __future__ import annotations

import json
import re

import pytest

from tests import evidence

FOLDER = "/etc/nvidia/ClientConfigToken"
LICENSED = """
import sys, json
sys.path.append("/opt/gpufleet/python")
import pynvml as n
n.nvmlInit()
rows = []
for index in range(n.nvmlDeviceGetCount()):
    feature = n.nvmlDeviceGetGridLicensableFeatures_v4(n.nvmlDeviceGetHandleByIndex(index)).gridLicensableFeatures[0]
    rows.append([str(feature.productName), feature.featureState, feature.licenseExpiry.year])
print(json.dumps(rows))
"""


@pytest.fixture
def is_first(host):
    return host.check_output("hostname") == "guest1"


def test_nvidia_smi_says_licensed(host):
    assert re.search(r"License Status +: Licensed \(Expiry: 20\d\d-", host.check_output("nvidia-smi -q"))


def test_nvml_says_licensed(host, is_first):
    if not is_first:
        pytest.skip("this host has no nvidia-ml-py, as most guests")
    ((product, state, year),) = json.loads(host.check_output("python3 -c %s", LICENSED))
    assert (product, state) == ("NVIDIA RTX Virtual Workstation", 1)
    assert year >= 2026


def test_the_daemon_has_a_licence_of_the_service(host):
    lines = host.check_output("journalctl --unit nvidia-gridd --boot --output cat --no-pager").splitlines()
    assert any(line.startswith("License acquired successfully. (Info: 127.0.14.9,") for line in lines)


def test_the_unit_starts_at_boot(host):
    unit = host.service("nvidia-gridd")
    assert unit.is_running and unit.is_enabled


def test_one_token_is_there_as_nvidia_wants_it(host):
    (name,) = host.file(FOLDER).listdir()
    token = host.file(f"{FOLDER}/{name}")
    assert (token.mode, token.user) == (0o744, "root")
    assert len(token.content.split(b".")) == 3


def test_the_token_is_in_no_log(host):
    (name,) = host.file(FOLDER).listdir()
    secret = host.file(f"{FOLDER}/{name}").content_string[:60]
    assert secret not in host.check_output("journalctl --boot --no-pager")


def test_the_feature_is_set_once_in_gridd_conf(host):
    text = host.file("/etc/nvidia/gridd.conf").content_string
    assert [line for line in text.splitlines() if "FeatureType" in line and not line.startswith("#")] == [
        "FeatureType=1"
    ]


def test_the_driver_is_the_declared_one_with_modules_by_dkms(host):
    assert ("nvidia/535.261.03", "installed") in [(row[0], row[2]) for row in evidence.dkms(host)]
    assert "535.261.03" in host.file("/proc/driver/nvidia/version").content_string


def test_the_package_brought_what_it_needs_and_is_held(host, is_first):
    if not is_first:
        pytest.skip("a runfile")
    assert "nvidia-linux-grid-535-stand-in" in evidence.held(host)
    assert host.package("dkms").is_installed


@pytest.mark.parametrize("name", ["nvidia-cuda-toolkit", "nvidia-driver", "libcuda1"])
def test_no_package_can_take_the_driver_s_place(host, name):
    told = host.run(f"apt-get -s install {name}")
    assert told.rc != 0
    assert "Remv" not in told.stdout


def test_a_unit_was_written_only_where_none_came(host, is_first):
    assert host.file("/etc/systemd/system/nvidia-gridd.service").exists is not is_first
