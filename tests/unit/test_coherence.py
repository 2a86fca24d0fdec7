"""The verdict, as a table: what was found on the host, what it is called, and which words the reason holds."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._coherence import ORDER, coherence
from ansible_collections.gpufleet.nvidia.plugins.module_utils._place import place

K, NEXT = "6.1.0-41-amd64", "6.1.0-42-amd64"


def disk(version="535.261.03", flavour="proprietary"):
    return {"name": "nvidia-current", "path": "x", "version": version, "flavour": flavour, "signer": "k"}


def card(address="0000:01:00.0", architecture="pascal", driver="nvidia"):
    return {
        "address": address,
        "kind": "gpu",
        "architecture": architecture,
        "driver": driver,
        "physical_function": None,
        "virtual_functions": 0,
    }


def facts(**changes):
    """A host whose driver is of one piece, and what *changes* make of it."""
    base: dict[str, Any] = {
        "place": "bare_metal",
        "kernel": {"running": K, "next": K, "next_source": "newest"},
        "pci": [card()],
        "nouveau": {"loaded": [], "bound": [], "blacklisted": True},
        "driver": {
            "loaded": {"version": "535.261.03", "flavour": "proprietary", "taints": "POE", "modules": ["nvidia"]},
            "on_disk": {K: disk()},
            "dkms": [
                {
                    "module": "nvidia-current",
                    "version": "535.261.03",
                    "kernel": K,
                    "machine": "x86_64",
                    "state": "installed",
                }
            ],
            "library": {"version": "535.261.03", "path": "x"},
            "install": {
                "method": "packages",
                "packages": [{"name": "nvidia-smi", "state": "installed"}],
                "runfile": None,
            },
        },
        "nvml": {"available": True, "code": 0},
        "partial": [],
        "gpus": [{"address": "0000:01:00.0"}],
    }
    base = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = base
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return base


NOTHING: dict[str, Any] = {
    "driver__loaded": None,
    "driver__library": None,
    "driver__on_disk": {K: None},
    "driver__dkms": [],
    "driver__install": {"method": "none", "packages": [], "runfile": None},
}

CASES = [
    ("of one piece", {}, "coherent", []),
    ("nothing at all", NOTHING, "absent", []),
    ("nothing, and nouveau drives the card", {**NOTHING, "nouveau__bound": ["0000:01:00.0"]}, "absent", []),
    (
        "packages without content",
        {**NOTHING, "driver__install": {"method": "packages", "packages": [{}], "runfile": None}},
        "broken",
        ["neither modules nor libraries"],
    ),
    (
        "libraries moved on",
        {"driver__library": {"version": "535.309.01", "path": "x"}},
        "needs_reload",
        ["loaded 535.261.03, libraries 535.309.01"],
    ),
    ("disk moved on", {"driver__on_disk": {K: disk("535.309.01")}}, "needs_reload", ["on disk 535.309.01"]),
    (
        "the other flavour on disk",
        {"driver__on_disk": {K: disk(flavour="open")}},
        "needs_reload",
        ["proprietary", "open"],
    ),
    ("built, not loaded", {"driver__loaded": None}, "needs_reboot", ["none is loaded"]),
    (
        "nouveau still drives the card",
        {"driver__loaded": None, "nouveau__bound": ["0000:01:00.0"]},
        "needs_reboot",
        ["nouveau drives 0000:01:00.0"],
    ),
    (
        "built for the next kernel alone",
        {"driver__loaded": None, "kernel__next": NEXT, "driver__on_disk": {K: None, NEXT: disk()}},
        "needs_reboot",
        [NEXT, "boots next"],
    ),
    (
        "the next kernel has no module",
        {"kernel__next": NEXT, "driver__on_disk": {K: disk(), NEXT: None}},
        "broken",
        [NEXT, "next boot loses the driver"],
    ),
    (
        "no module anywhere",
        {"driver__loaded": None, "driver__on_disk": {K: None}, "driver__dkms": []},
        "broken",
        ["no NVIDIA module"],
    ),
    (
        "dkms has built, not installed",
        {"driver__dkms": [{"module": "nvidia-current", "version": "1", "kernel": K, "machine": "x", "state": "built"}]},
        "broken",
        ["is built"],
    ),
    (
        "another version is still in dkms's tree",
        {
            "driver__dkms": [
                {"module": "nvidia-current", "version": "1", "kernel": K, "machine": "x", "state": "built"},
                {"module": "nvidia-current", "version": "2", "kernel": K, "machine": "x", "state": "installed"},
            ]
        },
        "coherent",
        [],
    ),
    (
        "loaded, and gone from the disk",
        {"driver__on_disk": {K: None}, "driver__dkms": []},
        "broken",
        [K, "next boot loses the driver"],
    ),
    (
        "loaded by another machine, of whose kernel there is nothing here",
        {"driver__on_disk": {K: None}, "driver__dkms": [], "kernel__next_source": "running"},
        "coherent",
        [],
    ),
    (
        "a package is half configured",
        {
            "driver__install": {
                "method": "packages",
                "packages": [{"name": "nvidia-kernel-dkms", "state": "half-configured"}],
                "runfile": None,
            }
        },
        "broken",
        ["nvidia-kernel-dkms", "dpkg --configure -a"],
    ),
    ("loaded without libraries", {"driver__library": None}, "broken", ["no libnvidia-ml"]),
    (
        "disk and libraries differ, nothing loaded",
        {"driver__loaded": None, "driver__library": {"version": "535.309.01", "path": "x"}},
        "broken",
        ["modules on disk are 535.261.03, libraries 535.309.01"],
    ),
    (
        "open modules under an old card",
        {
            "driver__loaded": {"version": "535.261.03", "flavour": "open", "taints": "", "modules": []},
            "driver__on_disk": {K: disk(flavour="open")},
        },
        "broken",
        ["older than Turing"],
    ),
    (
        "open modules on disk for an old card",
        {"driver__loaded": None, "driver__on_disk": {K: disk(flavour="open")}},
        "broken",
        ["older than Turing"],
    ),
    ("proprietary modules under Blackwell", {"pci": [card(architecture="blackwell")]}, "broken", ["needs open ones"]),
    (
        "packages and runfile",
        {"driver__install": {"method": "mixed", "packages": [{}], "runfile": {}}},
        "broken",
        ["both packages and NVIDIA's runfile"],
    ),
    ("NVML finds a mismatch", {"nvml": {"available": False, "code": 18}}, "needs_reload", ["mismatch"]),
    (
        "NVML refuses",
        {"nvml": {"available": False, "code": 999, "reason": "Unknown Error"}},
        "broken",
        ["Unknown Error"],
    ),
    ("the binding is missing", {"nvml": {"available": False, "code": None, "reason": "x"}}, "coherent", []),
    (
        "NVML hangs",
        {
            "nvml": {"available": False, "code": None, "reason": "x"},
            "partial": [{"source": "nvml", "reason": "NVML did not answer within 60 s"}],
        },
        "broken",
        ["did not answer within 60 s"],
    ),
    ("a card is lost", {"gpus": []}, "broken", ["1 GPUs on the PCI bus, 0 in NVML: 0000:01:00.0"]),
    ("a card is given to a guest", {"gpus": [], "pci": [card(driver="vfio-pci")]}, "coherent", []),
    (
        "a container, whose modules are another machine's",
        {"place": "container", "driver__on_disk": {K: None}, "driver__dkms": []},
        "coherent",
        [],
    ),
]


@pytest.mark.parametrize(("changes", "verdict", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_verdict(changes, verdict, words):
    found = coherence(facts(**changes))
    assert found["verdict"] == verdict, found
    assert all(any(word in reason for reason in found["reasons"]) for word in words), found["reasons"]
    assert all(reason.endswith(".") for reason in found["reasons"])


@given(st.lists(st.sampled_from([case[1] for case in CASES]), max_size=4))
def test_troubles_together_are_judged_by_the_worst(changes):
    merged = {path: value for change in changes for path, value in sorted(change.items())}
    roots = {path.split("__")[0] for path in merged if "__" not in path}
    found = coherence(
        facts(**{path: merged[path] for path in merged if path in roots or path.split("__")[0] not in roots})
    )
    assert found["verdict"] in ("absent", *ORDER)
    assert bool(found["reasons"]) == (found["verdict"] not in ("absent", "coherent"))


def test_the_worst_decides_and_every_reason_is_told():
    found = coherence(facts(driver__library={"version": "535.309.01", "path": "x"}, gpus=[]))
    assert found["verdict"] == "broken"
    assert len(found["reasons"]) == 2
    assert ORDER.index("broken") > ORDER.index("needs_reload")


@pytest.mark.parametrize(
    ("container", "hypervisor", "gpus", "parents", "expected"),
    [
        (None, None, [], [], "bare_metal"),
        (None, "kvm", [], [], "passthrough"),
        (None, "vmware", [{"virtualization_mode": "vgpu"}], [], "vgpu_guest"),
        (None, None, [{"virtualization_mode": "host_vgpu"}], [], "vgpu_host"),
        (None, None, [], ["0000:01:00.0"], "vgpu_host"),
        ("docker", "kvm", [{"virtualization_mode": "passthrough"}], [], "container"),
    ],
)
def test_the_kind_of_place(container, hypervisor, gpus, parents, expected):
    assert place(container, hypervisor, [card()], gpus, parents) == expected
