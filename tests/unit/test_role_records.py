"""What each role's record keeps: it can be told of any host, nothing is missing, and nothing in it moves by itself."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _facts
from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import SUBSETS_OF
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_plan import cuda_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_plan import nccl_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_plan import persistence_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_unit import drop_in_text
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from tests.unit.fake_system import FakeSystem
from tests.unit.golden.converged import converged
from tests.unit.persistence_hosts import UNIT
from tests.unit.persistence_hosts import host as persistent

ROOT = Path(__file__).resolve().parents[2]
MAY_BE_UNDECLARED = ("cuda", "nccl", "vgpu_host", "vllm_serve")
ROLES = ("nvidia_driver", "persistenced", "vgpu_guest", *MAY_BE_UNDECLARED)
SECRET = "a-secret-of-chat"
DECLARED: dict[str, Any] = {
    "cuda_versions": ["11.8"],
    "cuda_method": "distribution",
    "nccl_version": "auto",
    "vllm_serve_version": "0.11.0",
    "vllm_serve_instances": [{"name": "chat", "model": "/srv/models/chat", "port": 8000}],
    "vllm_serve_doors": [{"name": "all", "served_name": "/srv/models/chat", "listen": "8080"}],
    "vllm_serve_api_key": SECRET,
    "vgpu_host_devices": [{"uuid": "00000000-0000-4000-8000-000000000001", "type": "nvidia-65"}],
}
# Words of paths whose values move while nobody does anything.
VOLATILE = [
    "boot_id",
    "pid",
    "restarts",
    "temperature_celsius",
    "memory_used_mib",
    "open_by",
    "available",
    "partial",
    "active_state",
    "sub_state",
    "since",
    "now",
    "last_event",
    "synchronized",
    "offset_s",
    "remaining",
    "listening",
    "licensing",
    "reboot_pending",
    "modules",
    "iommu_group",
    "processes",
]
STEADY = ("nvml.available", "mok.modules")  # whether NVML answers at all; modules on the disk with their signers


def facts() -> dict[str, Any]:
    """All facts of a machine that has nothing, with those of a converged Debian 12 with one card in their place."""
    about = {"python": "3.11", "machine": "x86_64", "user_id": 0}
    nothing = _facts.gather(FakeSystem(), ["all"], timeout=1, **about)
    host = {**converged("p40"), "coherence": {"verdict": "coherent", "reasons": []}}
    host["persistence"] = persistent("debian", drop_in=drop_in_text(None), version="535.261.03")["persistence"]
    host["system"]["service_manager"] = "systemd"
    cuda = {"release": "11.8", "version": "11.8.89", "update": None, "path": "/usr", "nvcc": "/usr/bin/nvcc"}
    package = {"name": "nvidia-cuda-toolkit", "version": "11.8.89~11.8.0-5", "held": True}
    toolkit = {**cuda, "source": "distribution", "package": package["name"]}
    host["cuda"] = {"toolkits": [toolkit], "default": None, "packages": [package], "files": {}}
    merged = {key: host.get(key, value) for key, value in {**host, **nothing}.items()}
    return {**merged, "system": {**nothing["system"], **host["system"]}, "nvml": {**nothing["nvml"], **host["nvml"]}}


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, bool], dict[str, list[str]]]:
    """{(role, whether something is declared): what its record keeps}"""
    cases = [(role, declared) for role in ROLES for declared in (True, False)]
    rows = [{"role": role, "facts": facts(), "declared": DECLARED if declared else {}} for role, declared in cases]
    return dict(zip(cases, templated(rows), strict=True))


def templated(rows: list[dict[str, Any]]) -> list[Any]:
    """Variables of roles, each with the facts and declarations of its row; see tests/unit/managed_of.py."""
    argv = [sys.executable, "-m", "tests.unit.managed_of"]
    done = subprocess.run(argv, input=json.dumps(rows), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("role", ROLES)
def test_a_record_is_four_lists_of_names(told, role, declared):
    found = told[role, declared]
    assert set(found) == {"files", "packages", "units", "facts"}
    for names in found.values():
        assert isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    assert all(path.startswith("/") for path in found["files"])
    assert not any(set("= *") & set(name) for name in found["packages"])
    assert all(name.endswith(".service") for name in found["units"])


@pytest.mark.parametrize("role", MAY_BE_UNDECLARED)
def test_a_role_for_which_nothing_is_declared_keeps_nothing(told, role):
    assert not any(told[role, False].values())


@pytest.mark.parametrize("role", ROLES)
def test_every_fact_of_a_record_is_one_that_gpu_facts_gives(told, role):
    spelled = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / "module_utils").glob("_*.py"))
    for path in told[role, True]["facts"]:
        root, *words = path.split(".")
        assert root in SUBSETS_OF, path
        assert all(word == "*" or re.search(rf"\b{word}\b", spelled) for word in words), path


@pytest.mark.parametrize("role", ROLES)
def test_nothing_in_a_record_moves_by_itself(told, role):
    paths = [path for path in told[role, True]["facts"] if path not in STEADY]
    assert not [path for path in paths if set(VOLATILE) & set(path.split("."))]


def test_no_secret_is_kept(told):
    assert SECRET not in json.dumps(list(told.values()))
    assert "/etc/vllm/chat.secrets" in told["vllm_serve", True]["files"]


def test_servers_that_are_right_do_not_hide_what_else_has_moved():
    """nginx, the environment, models and folders are looked at unless the record says that nothing has moved."""
    right: dict[str, Any] = {"drift": [], "unchecked": [], "damaged": None}
    moved = {"kind": "unit", "name": "nginx.service", "was": {}, "is": {}, "text": "nginx stopped"}
    cases: list[tuple[Any, dict[str, Any], bool]] = [
        ({"vllm_serve": right}, {}, True),
        ({"vllm_serve": right}, {"gpufleet_full": True}, False),
        ({"vllm_serve": {**right, "drift": [moved]}}, {}, False),
        ({"vllm_serve": {**right, "unchecked": ["place"]}}, {}, False),
        ({"vllm_serve": {"damaged": "it is cut off"}}, {}, False),
        ({}, {}, False),
        (None, {}, False),
        ({}, {"vllm_serve_state": "absent"}, True),
        ({"vllm_serve": right}, {"__vllm_serve_settled": False}, False),
    ]
    rows = [
        {
            "role": "vllm_serve",
            "variable": "idle",
            "facts": {**facts(), "records": records},
            "declared": {**DECLARED, "__vllm_serve_settled": True, **declared},
        }
        for records, declared, _idle in cases
    ]
    assert templated(rows) == [idle for _records, _declared, idle in cases]


def test_each_server_s_unit_is_kept():
    found = facts()
    found["vllm"] = {**found["vllm"], "instances": {"chat": {}, "embed-2": {}}}
    (units,) = templated([{"role": "vllm_serve", "facts": found, "declared": DECLARED, "variable": "units"}])
    assert units == ["vllm@chat.service", "vllm@embed-2.service", "nginx.service"]


def test_what_the_driver_s_role_writes_is_kept(told):
    files = told["nvidia_driver", True]["files"]
    assert {"/etc/modprobe.d/gpufleet-nvidia.conf", "/etc/apt/apt.conf.d/52gpufleet-nvidia"} <= set(files)
    assert {"/etc/apt/sources.list.d/gpufleet-nvidia.sources", "/etc/apt/sources.list.d/debian.sources"} <= set(files)
    assert {"nvidia-kernel-dkms", "libnvidia-ml1", "python3-pynvml"} <= set(told["nvidia_driver", True]["packages"])


def test_units_and_their_files_are_kept(told):
    assert told["persistenced", True]["units"] == [UNIT]
    assert {f"/etc/systemd/system/{UNIT}.d/zz-gpufleet.conf"} <= set(told["persistenced", True]["files"])
    assert told["vgpu_guest", True]["units"] == ["nvidia-gridd.service"]
    assert "nginx.service" in told["vllm_serve", True]["units"]


# What a role decides by the facts: whatever changes it must stand in its record, or the role would not run for it.
def decide_driver(seen: dict[str, Any]) -> Any:
    plan = driver_plan(seen, {})
    return plan, driver_reboot(seen, plan), deviations(seen, plan)


def decide_cuda(seen: dict[str, Any]) -> Any:
    wants = {"versions": ["11.8"], "method": "distribution"}
    return cuda_plan(seen, stack(seen, {"cuda": wants}), wants)


def decide_nccl(seen: dict[str, Any]) -> Any:
    wants = {"version": "auto"}
    return nccl_plan(seen, stack(seen, {"nccl": wants}), wants)


def acts(found: Any) -> Any:
    """Of a decision what a role does by it, and not the notes that go with it."""
    plan, *others = found if isinstance(found, tuple) else (found,)
    told = [row for row in plan["findings"] if row["severity"] == "error"]
    return {**plan, "findings": told, "why": None, "commands": None}, others


DECISIONS = {
    "nvidia_driver": decide_driver,
    "persistenced": lambda seen: persistence_plan(seen, {}),
    "cuda": decide_cuda,
    "nccl": decide_nccl,
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of every leaf; lists and dictionaries count as well, so that they can be emptied."""
    if path:
        yield path, value
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in rows:
        yield from leaves(below, (*path, key))


def others(value: Any) -> list[Any]:
    """Values that may stand there instead."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1]
    if isinstance(value, str):
        return [f"{value}x", None]
    if value is None:
        return ["x"]
    return [[], [*value, value[0]]] if isinstance(value, list) and value else [None] if value else []


def is_kept(found: dict[str, list[str]], path: tuple[Any, ...], seen: dict[str, Any]) -> bool:
    """Whether a record with these names shows that the fact at *path* has moved."""
    for kept in found["facts"]:
        words = kept.split(".")
        if all(word in ("*", str(key)) for word, key in zip(words, path, strict=False)):
            return True
    root = path[0]
    if root == "persistence" and path[:2] == ("persistence", "unit"):  # the unit itself, and its files
        return UNIT in found["units"]
    if root == "repositories":
        row = seen["repositories"][path[1]]["file"] if len(path) > 1 else seen["repositories"][0]["file"]
        return row in found["files"]
    if "packages" in path and isinstance(path[-1], str):  # one field of a package
        row = seen
        for key in path[:-1]:
            row = row[key]
        return isinstance(row, dict) and row.get("name") in found["packages"]
    return False


@pytest.mark.parametrize("role", DECISIONS)
def test_whatever_moves_the_role_stands_in_its_record(told, role):
    base, hidden = facts(), []
    before = acts(DECISIONS[role](copy.deepcopy(base)))
    for path, value in leaves(base):
        for other in others(value):
            seen = copy.deepcopy(base)
            place: Any = seen
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = other
            try:
                after = acts(DECISIONS[role](seen))
            except (AttributeError, KeyError, TypeError, ValueError, IndexError):
                continue  # no facts that gpu_facts gives
            if after != before and not is_kept(told[role, True], path, base):
                hidden.append((path, value, other))
    assert not hidden, "\n".join(map(str, hidden))


@pytest.mark.parametrize("asked", [True, False])
def test_the_iommu_is_kept_where_a_vgpu_host_declares_it(asked):
    drop_in = "/etc/default/grub.d/gpufleet-iommu.cfg"
    told = {"vgpu_host_iommu_enabled": asked, **({"__vgpu_host_iommu": {"files": [drop_in]}} if asked else {})}
    (kept,) = templated([{"role": "vgpu_host", "facts": facts(), "declared": {**DECLARED, **told}}])
    assert (drop_in in kept["files"]) is asked
    assert ("mdev.iommu.next_boot" in kept["facts"]) is asked
