"""What the simulator shows: PCI files, procfs texts, the NVML stand-in's state, and what it decides to have loaded."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.lab import profiles
from tests.lab.simulator import decide, nvml_state, pci, texts
from tests.lab.simulator.decide import Disk, Loaded, Module

P40 = profiles.load("p40-gtx750ti")
A6000 = profiles.load("a6000x2-nvlink")
H200 = profiles.load("h200x2")
NONE = profiles.load("none")
CLOSED = Module("535.309.01", "proprietary")
OPEN = Module("580.159.04", "open")
FRESH = Disk(None, False)
BOTH = ("0000:02:00.0", "0000:03:00.0")


@pytest.mark.parametrize(
    ("profile", "disk", "given", "nvidia", "gpus", "nouveau"),
    [
        (P40, FRESH, None, None, (), BOTH),
        (P40, Disk(None, True), None, None, (), ()),
        (P40, Disk(CLOSED, False), None, None, (), BOTH),
        (P40, Disk(CLOSED, True), None, CLOSED, BOTH, ()),
        (P40, Disk(CLOSED, True, nvidia_barred=True), None, None, (), ()),
        (P40, Disk(Module("535.309.01", "open"), True), None, None, (), ()),
        (P40, Disk(Module("595.71.05", "proprietary"), True), None, None, (), ()),
        (P40, FRESH, CLOSED, CLOSED, BOTH, ()),
        (P40, Disk(CLOSED, True), Module("470.256.02", "proprietary"), CLOSED, BOTH, ()),
        (H200, FRESH, OPEN, OPEN, ("0000:00:06.0", "0000:00:07.0"), ()),
        (H200, Disk(CLOSED, True), None, None, (), ()),
        (NONE, Disk(CLOSED, True), None, None, (), ()),
        (NONE, FRESH, None, None, (), ()),
    ],
)
def test_what_a_boot_loads(
    profile: dict[str, Any],
    disk: Disk,
    given: Module | None,
    nvidia: Module | None,
    gpus: tuple[str, ...],
    nouveau: tuple[str, ...],
) -> None:
    loaded = decide.at_boot(profile, disk, given)
    assert (loaded.nvidia, loaded.nvidia_gpus, loaded.nouveau_gpus) == (nvidia, gpus, nouveau)
    assert bool(loaded.modules) == (nvidia is not None)


@pytest.mark.parametrize(
    ("profile", "version", "flavour"),
    [(P40, "580.1.1", "proprietary"), (A6000, "550.163.01", "proprietary"), (A6000, "580.1.1", "open")],
)
def test_the_usual_flavour(profile: dict[str, Any], version: str, flavour: str) -> None:
    assert decide.usual_flavour(profile, version) == flavour


@pytest.mark.parametrize(
    ("version", "cuda"), [("535.309.01", 12020), ("550.163.01", 12040), ("581.9", 13000), ("390.1", 11000)]
)
def test_the_cuda_version_of_a_driver(version: str, cuda: int) -> None:
    assert decide.cuda_version(version) == cuda


def test_the_version_text_of_both_flavours() -> None:
    open_text = texts.version_text(OPEN, builder="nixbld@", gcc="15.3.0 (GCC)")
    assert open_text == (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (nixbld@)  \n"
        "GCC version:  gcc version 15.3.0 (GCC) \n"
    )
    assert texts.version_text(CLOSED).startswith("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  ")


def test_the_information_text_is_that_of_a_real_h200() -> None:
    text = texts.information_text(H200["gpus"][0], 0, OPEN)
    assert text.splitlines() == [
        "Model: \t\t NVIDIA H200",
        "IRQ:   \t\t 41",
        "GPU UUID: \t GPU-00000001-0000-4000-8000-000000000001",
        "Video BIOS: \t 96.00.a5.00.1a",
        "Bus Type: \t PCIe",
        "DMA Size: \t 52 bits",
        "DMA Mask: \t 0xfffffffffffff",
        "Bus Location: \t 0000:00:06.0",
        "Device Minor: \t 0",
        "GPU Firmware: \t 580.159.04",
        "GPU Excluded:\t No",
    ]


def test_modules_of_the_outer_machine_stay_and_its_graphics_drivers_do_not() -> None:
    outer = "nvidia 1 0 - Live 0x0\nveth 4096 0 - Live 0x0\n"
    assert texts.modules_text(outer, Loaded()) == "veth 4096 0 - Live 0x0\n"
    lines = texts.modules_text(outer, decide.with_nvidia(P40, CLOSED)).splitlines()
    assert [line.split()[0] for line in lines] == ["nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia", "veth"]
    assert lines[3].split()[2:4] == ["2", "nvidia_uvm,nvidia_modeset,"]
    assert lines[3].endswith("(POE)")


def test_the_driver_has_majors_among_the_character_devices() -> None:
    text = texts.devices_text(
        "Character devices:\n  1 mem\n\nBlock devices:\n  7 loop\n", decide.with_nvidia(P40, CLOSED)
    )
    assert text.index("195 nvidia") < text.index("Block devices:")


def test_parameters_that_are_set_replace_the_defaults() -> None:
    lines = texts.parameters_text({"EnableGpuFirmware": "0", "RegistryDwords": '"RMX=1"'}).splitlines()
    assert "EnableGpuFirmware: 0" in lines
    assert 'RegistryDwords: "RMX=1"' in lines


def test_the_resource_file_of_a_p40() -> None:
    lines = pci.resource_text(P40["gpus"][0]["bars"]).splitlines()
    assert lines[0] == "0x00000000f8000000 0x00000000f8ffffff 0x0000000000040200"
    assert lines[1] == "0x0000382000000000 0x00003827ffffffff 0x000000000014220c"
    assert lines[2] == "0x0000000000000000 0x0000000000000000 0x0000000000000000"
    assert len(lines) == pci.RESOURCES


def test_a_bar_without_a_start_is_not_assigned() -> None:
    line = pci.resource_text([{"index": 1, "start": None, "size": 0x800000000, "type": "memory64"}]).splitlines()[1]
    assert line == "0x0000000000000000 0x00000007ffffffff 0x000000000014220c"


def test_a_consumer_card_brings_its_audio_function() -> None:
    kinds = {function["address"]: function["kind"] for function in pci.functions(P40)}
    assert kinds["0000:03:00.1"] == "audio"
    assert pci.drivers(P40, [], BOTH)["0000:03:00.1"] == "snd_hda_intel"


def test_the_files_of_a_function_agree_with_its_configuration_space() -> None:
    for function in [f for name in profiles.names() for f in pci.functions(profiles.load(name))]:
        texts_of = pci.files(function, None)
        config = pci.config_bytes(function)
        vendor, device = struct.unpack_from("<HH", config)
        assert (f"0x{vendor:04x}\n", f"0x{device:04x}\n") == (texts_of["vendor"], texts_of["device"])
        assert texts_of["class"] == f"0x{config[11]:02x}{config[10]:02x}{config[9]:02x}\n"


def test_the_modalias_is_the_kernels() -> None:
    (card,) = [f for f in pci.functions(P40) if f["address"] == "0000:02:00.0"]
    assert pci.modalias(card) == "pci:v000010DEd00001B38sv000010DEsd000011D9bc03sc02i00"


def test_the_nvml_state_of_a_p40_beside_a_gtx_750_ti() -> None:
    state = dict(line.split("=", 1) for line in nvml_state.text(P40, decide.with_nvidia(P40, CLOSED)).splitlines())
    assert state["count"] == "2"
    assert state["gpu.0.pci_device_id"] == str(0x1B3810DE)
    assert state["gpu.0.ecc_current"] == "1"
    assert "gpu.1.ecc_current" not in state
    assert "gpu.0.mig_current" not in state
    assert state["gpu.1.power_limit"] == "38500"


def test_the_nvml_state_names_the_other_end_of_a_link() -> None:
    state = nvml_state.text(A6000, decide.with_nvidia(A6000, Module("550.163.01", "open")))
    assert "gpu.0.nvlink.3.peer=0000:65:00.0\n" in state


def test_without_a_driver_there_is_no_nvml_state() -> None:
    assert nvml_state.text(P40, Loaded()) == ""
