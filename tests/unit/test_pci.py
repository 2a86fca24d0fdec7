from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._pci import (
    DEVICES,
    FIRST_IDS,
    architecture,
    is_assigned,
    observe,
    parse_resource,
)
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("102d", "kepler"),  # Tesla K80
        ("1380", "maxwell"),  # GTX 750 Ti
        ("17fd", "maxwell"),  # Tesla M40
        ("15f8", "pascal"),  # Tesla P100
        ("1b38", "pascal"),  # Tesla P40
        ("1bb3", "pascal"),  # Tesla P4
        ("1db6", "volta"),  # V100
        ("1eb8", "turing"),  # T4
        ("2182", "turing"),  # GTX 1660 Ti
        ("20b5", "ampere"),  # A100 80GB PCIe
        ("2230", "ampere"),  # RTX A6000
        ("25b6", "ampere"),  # A2
        ("2684", "ada"),  # RTX 4090
        ("26b9", "ada"),  # L40S
        ("2335", "hopper"),  # H200 SXM
        ("2342", "hopper"),  # GH200
        ("2901", "blackwell"),  # B200
        ("2b85", "blackwell"),  # RTX 5090
        ("2e12", "blackwell"),  # GB10
        ("31c2", "blackwell"),  # GB300
        ("0001", "unknown"),
        ("ffff", "unknown"),
    ],
)
def test_the_architecture_follows_from_the_device_id(device, name):
    assert architecture(device) == name


def test_the_table_of_ids_is_in_order():
    assert [first for first, _name in FIRST_IDS] == sorted({first for first, _name in FIRST_IDS})


def test_memory_regions_are_read_with_their_sizes():
    bars = parse_resource(fixture("resource/p40-assigned.txt"))
    assert [region["size"] for region in bars] == [16 << 20, 32 << 30, 32 << 20]
    assert is_assigned(bars)


def test_regions_without_an_address_show_that_above_4g_decoding_is_off():
    assert not is_assigned(parse_resource(fixture("resource/p40-above-4g-off.txt")))


def test_a_region_that_the_kernel_gave_up_is_missed():
    assert not is_assigned(parse_resource(fixture("resource/p40-given-up.txt")))


def test_ports_are_no_memory_regions():
    assert parse_resource("0x0 0x7f 0x40101") == []


@given(st.text())
def test_no_device_id_breaks_the_table(text):
    assert isinstance(architecture(text), str)


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**36)), max_size=6))
def test_regions_are_read_as_they_were_written(regions):
    text = "\n".join(f"0x{start:016x} 0x{start + size:016x} 0x0000000000040200" for start, size in regions)
    assert [(region["start"], region["size"] - 1) for region in parse_resource(text)] == regions


@given(st.text())
def test_no_text_breaks_the_resource_parser(text):
    assert all(region["size"] > 0 for region in parse_resource(text))


def card(address, **files):
    base = f"{DEVICES}/{address}"
    values = {"vendor": "0x10de\n", "device": "0x1b38\n", "class": "0x030200\n", **files}
    return {f"{base}/{name}": value for name, value in values.items()}


def test_only_functions_of_nvidia_are_listed_with_what_drives_them():
    files = {
        **card("0000:01:00.0", numa_node="0\n", resource=fixture("resource/p40-assigned.txt")),
        **card("0000:02:00.0", device="0x0fbc\n", **{"class": "0x040300\n"}),
        **card("0000:03:00.0", vendor="0x1002\n"),
    }
    links = {f"{DEVICES}/0000:01:00.0/driver": "../../../bus/pci/drivers/nouveau"}
    gpu, audio = observe(FakeSystem(files, links))
    assert (gpu["kind"], gpu["driver"], gpu["architecture"], gpu["numa_node"]) == ("gpu", "nouveau", "pascal", 0)
    assert (audio["kind"], audio["driver"], audio["architecture"]) == ("audio", None, None)
    assert (gpu["bars_assigned"], audio["bars_assigned"]) == (True, None)


def test_a_virtual_function_need_not_have_a_card_s_regions():
    files = card("0000:01:00.4", resource="0x0 0x0 0x0\n")
    links = {f"{DEVICES}/0000:01:00.4/physfn": "../0000:01:00.0"}
    (function,) = observe(FakeSystem(files, links))
    assert (function["physical_function"], function["bars_assigned"]) == ("0000:01:00.0", True)


def test_a_machine_without_a_bus_has_no_functions():
    assert observe(FakeSystem()) == []
