"""The licence of a GPU: NVML's numbers, nvidia-smi's words by driver branch, and the worst of all GPUs."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_license as licence
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_feature import misfit
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_profile import profile
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import iso, parse
from tests.unit.captured import fixture

NOW = 1_681_900_000  # 2023-04-19T10:26:40Z
NONE = {"status": 0, "at": [0, 0, 0, 0, 0, 0]}


def feature(**changes):
    row = {"code": 1, "state": 1, "enabled": 1, "product": "NVIDIA RTX Virtual Workstation", "info": "", "expiry": NONE}
    return {**row, **changes}


def nvml(*features, supported=True):
    return {"supported": supported, "features": list(features)}


def ends(year, month, day, hour=0, minute=0, second=0, status=2):
    return {"status": status, "at": [year, month, day, hour, minute, second]}


@pytest.mark.parametrize(
    ("answer", "mode", "state", "expires"),
    [
        (None, "passthrough", None, None),
        (None, "vgpu", "unknown", None),
        (nvml(supported=False), "passthrough", None, None),
        (nvml(supported=False), "vgpu", "unknown", None),
        (nvml(feature(state=0)), "vgpu", "unlicensed", None),
        (nvml(feature(expiry=ends(2023, 4, 20, 12, 14, 21))), "vgpu", "licensed", "2023-04-20T12:14:21Z"),
        (nvml(feature(expiry=ends(2023, 4, 18))), "vgpu", "expired", "2023-04-18T00:00:00Z"),
        (nvml(feature(expiry=ends(2023, 4, 18, status=1))), "vgpu", "licensed", None),
        (nvml(feature(expiry=None)), "vgpu", "licensed", None),
        (nvml(feature(state=0, enabled=0), feature(code=2)), "passthrough", "licensed", None),
    ],
)
def test_nvml_s_answer_is_a_licence(answer, mode, state, expires):
    found = licence.from_nvml(answer, mode, NOW)
    assert (found and found["state"], found and found["expires"]) == (state, expires)


def test_a_permanent_licence_has_no_end():
    found = licence.from_nvml(nvml(feature(expiry=ends(0, 0, 0, status=4))), "vgpu", NOW)
    assert (found["permanent"], found["expires"], found["remaining_s"]) == (True, None, None)


@pytest.mark.parametrize(
    ("text", "state", "expires", "permanent"),
    [
        ("Licensed (Expiry: 2024-2-1 2:36:3 GMT)", "licensed", "2024-02-01T02:36:03Z", False),
        ("Licensed (Expiry: N/A)", "licensed", None, False),
        ("Licensed (Expiry: Permanent)", "licensed", None, True),
        ("Licensed", "licensed", None, False),
        ("Unlicensed", "unlicensed", None, False),
        ("Unlicensed (Unrestricted)", "unlicensed_unrestricted", None, False),
        ("Unlicensed (Restricted)", "unlicensed_restricted", None, False),
        ("Unlicensed (Somehow)", "unlicensed", None, False),
        ("N/A (Expiry: N/A)", "unknown", None, False),
        ("Weird", "unknown", None, False),
    ],
)
def test_nvidia_smi_s_words_are_a_licence(text, state, expires, permanent):
    found = licence.parse_status(text, NOW)
    assert (found["state"], found["expires"], found["permanent"]) == (state, expires, permanent)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("430.46-licensed", [("0000:02:01.0", "T4-16Q", "licensed", "Quadro Virtual Data Center Workstation")]),
        ("525.105.17-licensed", [("0000:02:02.0", "P40-8Q", "licensed", "NVIDIA RTX Virtual Workstation")]),
        (
            "535.183.01-restricted",
            [("0000:02:00.0", "A10-4C", "unlicensed_restricted", "NVIDIA Virtual Compute Server")],
        ),
        (
            "550.127.05-no-product-line",
            [("0000:02:00.0", "A40-8Q", "licensed", None), ("0000:03:00.0", "A40-8Q", "unlicensed_unrestricted", None)],
        ),
        ("580.95.05-expiry-not-available", [("0000:02:00.0", "H100-80C", "licensed", "NVIDIA AI Enterprise")]),
    ],
)
def test_each_branch_s_nvidia_smi_is_read(name, expected):
    gpus = licence.parse_smi(fixture(f"gridd/smi-{name}.txt"), NOW)
    assert [
        (gpu["address"], gpu["profile"]["name"], gpu["license"]["state"], gpu["license"]["product"]) for gpu in gpus
    ] == expected
    assert all(gpu["virtualization_mode"] == "vgpu" and gpu["license"]["source"] == "smi" for gpu in gpus)


def test_a_passed_through_gpu_without_the_block_needs_no_licence():
    gpus = licence.parse_smi(fixture("gridd/smi-580.159.04-passthrough-captured.txt"), NOW)
    assert [(gpu["virtualization_mode"], gpu["license"], gpu["profile"]) for gpu in gpus] == [
        ("passthrough", None, None)
    ]
    assert licence.overall(gpus) == "not_applicable"


def test_a_virtual_gpu_without_the_block_is_unknown():
    text = fixture("gridd/smi-535.183.01-restricted.txt").replace("Software Licensed", "Something")
    assert licence.parse_smi(text, NOW)[0]["license"]["state"] == "unknown"


def row(**changes):
    return {
        "address": "0000:02:00.0",
        "uuid": "GPU-5",
        "name": "NVIDIA A10-4C",
        "virtualization_mode": "vgpu",
        **changes,
    }


def test_words_tell_how_badly_a_gpu_is_unlicensed():
    rows = [row(licensing=nvml(feature(state=0)))]
    gpus = licence.from_rows(rows, NOW)
    assert licence.must_ask_smi(rows, gpus)
    merged = licence.merged(gpus, licence.parse_smi(fixture("gridd/smi-535.183.01-restricted.txt"), NOW))
    assert merged[0]["license"]["state"] == "unlicensed_restricted"
    assert licence.merged(gpus, []) == gpus


def test_nvml_s_licence_is_believed_and_nobody_else_is_asked():
    rows = [row(licensing=nvml(feature())), row(virtualization_mode="passthrough", licensing=nvml(supported=False))]
    gpus = licence.from_rows(rows, NOW)
    assert not licence.must_ask_smi(rows, gpus)
    assert licence.overall(gpus) == "licensed"


def test_nvidia_smi_answers_where_nvml_does_not():
    smi = licence.parse_smi(fixture("gridd/smi-525.105.17-licensed.txt"), NOW)
    assert licence.must_ask_smi([], []) and licence.merged([], smi) == smi
    silent = licence.from_rows([row(address="0000:02:02.0", licensing=None)], NOW)
    assert licence.merged(silent, smi)[0]["license"] == smi[0]["license"]


STATES = ["licensed", "unlicensed", "unlicensed_restricted", "unlicensed_unrestricted", "expired", "unknown", None]


@given(st.lists(st.sampled_from(STATES), max_size=4))
def test_the_host_is_licensed_only_when_every_gpu_that_needs_it_is(states):
    state = licence.overall([{"license": state and {"state": state}} for state in states])
    needed = [one for one in states if one]
    assert (state == "licensed") == (bool(needed) and set(needed) == {"licensed"})
    assert (state == "not_applicable") == (not needed)


def test_nobody_who_could_not_be_asked_needs_no_licence():
    assert licence.overall([], certain=False) == "unknown"


@given(st.text())
def test_no_text_breaks_the_parsers(text):
    licence.parse_smi(text, NOW)
    licence.parse_status(text, NOW)
    parse(text)
    profile(text)


WHOLE_SECONDS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)  # a float of a far year has no room for them
)


@given(WHOLE_SECONDS)
def test_a_time_without_leading_zeros_is_read(moment):
    text = f"{moment.year}-{moment.month}-{moment.day} {moment.hour}:{moment.minute}:{moment.second} GMT"
    seconds = int(moment.replace(tzinfo=timezone.utc).timestamp())
    assert parse(text) == seconds and iso(seconds) == moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("GRID P40-8Q", ("P40-8Q", "Q", 8)),
        ("GRID P4-2B4", ("P4-2B4", "B", 2)),
        ("NVIDIA A100-4-20C", ("A100-4-20C", "C", 20)),
        ("NVIDIA A100D-1-10CME", ("A100D-1-10CME", "C", 10)),
        ("NVIDIA RTXA6000-24Q", ("RTXA6000-24Q", "Q", 24)),
        ("NVIDIA RTX 6000 Ada-48C", ("RTX 6000 Ada-48C", "C", 48)),
        ("NVIDIA RTX6000-Ada-48Q", ("RTX6000-Ada-48Q", "Q", 48)),
        ("NVIDIA A40-2B", ("A40-2B", "B", 2)),
        ("GRID M60-0B", ("M60-0B", "B", 0.5)),
        ("GRID T4-1A", ("T4-1A", "A", 1)),
        ("NVIDIA RTX Pro 6000 Blackwell DC-1-24Q", ("RTX Pro 6000 Blackwell DC-1-24Q", "Q", 24)),
        ("NVIDIA H200", None),
        ("NVIDIA A100-SXM4-40GB", None),
        ("Tesla V100-PCIE-16GB", None),
        ("Quadro RTX 6000", None),
        (None, None),
    ],
)
def test_a_profile_is_known_by_its_name(product, expected):
    found = profile(product)
    assert (found and (found["name"], found["series"], found["framebuffer_gb"])) == expected


@pytest.mark.parametrize(
    ("feature_type", "mode", "series", "part"),
    [
        (None, "vgpu", "Q", None),
        (1, "vgpu", "C", None),
        (2, "vgpu", "Q", None),
        (4, "vgpu", "C", None),
        (4, "vgpu", "Q", "does not fit a virtual GPU of series Q"),
        (2, "vgpu", "A", "does not fit"),
        (0, "vgpu", "Q", "never gets a licence"),
        (None, "passthrough", None, "is not set"),
        (1, "passthrough", None, "is 1"),
        (2, "passthrough", None, None),
        (0, "passthrough", None, None),
        (2, "vgpu", None, None),
        (None, None, None, None),
    ],
)
def test_a_feature_that_does_not_fit_is_told(feature_type, mode, series, part):
    found = misfit(feature_type, mode, series)
    assert (found is None) if part is None else part in found
