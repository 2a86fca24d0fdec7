"""NVML's answer on licences, through the probe as a process, with a stand-in for pynvml in both its forms."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_license import from_rows
from tests.unit.test_nvml_probe import answer_of

PYNVML = """
class NVMLError(Exception): pass
class Row:
    def __init__(self, **fields): self.__dict__.update(fields)
END = Row(year=2026, month=4, day=3, hour=9, min=1, sec=6, status=2)
NAME = b"NVIDIA RTX Virtual Workstation"
FEATURE = Row(featureCode=2, featureState=1, featureEnabled=1, productName=NAME, licenseInfo=b"")
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetVirtualizationMode(handle): return 2
def nvmlDeviceGetName(handle): return b"NVIDIA A40-8Q"
def answer(**more):
    FEATURE.__dict__.update(more)
    return Row(isGridLicenseSupported=1, licensableFeaturesCount=1, gridLicensableFeatures=[FEATURE, None, None])
"""
NEW = "def nvmlDeviceGetGridLicensableFeatures_v4(handle): return answer(licenseExpiry=END)\n"
OLD = "def nvmlDeviceGetGridLicensableFeatures_v3(handle): return answer()\n"


@pytest.mark.parametrize(
    ("calls", "state", "expires"),
    [
        (NEW, "licensed", "2026-04-03T09:01:06Z"),
        (OLD, "licensed", None),
        ("", "unknown", None),
    ],
)
def test_a_library_of_any_age_tells_what_it_knows(tmp_path, calls, state, expires):
    (tmp_path / "pynvml.py").write_text(PYNVML + calls)
    _nvml, gpus, _partial = answer_of(tmp_path)
    (gpu,) = from_rows(gpus, 1_770_000_000)
    assert (gpu["license"]["state"], gpu["license"]["expires"]) == (state, expires)
    assert gpu["profile"]["series"] == "Q"
