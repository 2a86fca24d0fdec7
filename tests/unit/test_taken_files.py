"""Roles that decide by the content of their files see one as well that others have got hold of, by their record."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_files import LINKER, PROFILE
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_plan import cuda_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import is_taken
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_plan import persistence_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_unit import drop_in_path, drop_in_text
from tests.unit.golden.hosts import host
from tests.unit.persistence_hosts import UNIT
from tests.unit.persistence_hosts import host as persistent
from tests.unit.test_cuda_plan import stack, toolkit, with_cuda, with_files

FILE = {"path": "/etc/a", "content": "x", "mode": "0644"}
RIGHT = {"sha256": "0", "mode": "0644", "owner": "root:root"}


def drifted(role, path, state, kind="file"):
    row = {"kind": kind, "name": path, "was": RIGHT, "is": state, "text": "…"}
    return {"records": {role: {"damaged": None, "drift": [row]}}}


@pytest.mark.parametrize(
    ("facts", "taken"),
    [
        ({}, False),
        ({"records": None}, False),
        (drifted("cuda", "/etc/a", {**RIGHT, "owner": "root:nogroup"}), True),
        (drifted("cuda", "/etc/a", {**RIGHT, "owner": "nobody:root"}), True),
        (drifted("cuda", "/etc/a", {**RIGHT, "mode": "0666"}), True),
        (drifted("cuda", "/etc/a", {**RIGHT, "sha256": "1"}), False),  # its content is looked at by itself
        (drifted("cuda", "/etc/a", None), False),
        (drifted("cuda", "/etc/a", {"link": "/etc/b"}), False),
        (drifted("cuda", "/etc/b", {**RIGHT, "mode": "0666"}), False),
        (drifted("nccl", "/etc/a", {**RIGHT, "mode": "0666"}), False),
    ],
)
def test_mode_user_and_group_count_in_the_role_s_own_record(facts, taken):
    assert is_taken(facts, "cuda", FILE) is taken


@pytest.mark.parametrize("path", [PROFILE, LINKER])
def test_a_toolkit_s_file_that_is_taken_is_written_again(path):
    there, wants = toolkit("12.6", "repository"), {"versions": ["12.6"], "method": "repository"}
    facts = with_cuda(host("debian-12", "p40"), there, default=there["path"])
    facts = with_files(facts, cuda_plan(facts, stack("12.6"), wants))
    assert cuda_plan(facts, stack("12.6"), wants)["idle"]
    facts |= drifted("cuda", path, {**RIGHT, "owner": "root:nogroup"})
    assert cuda_plan(facts, stack("12.6"), wants)["steps"] == [f"Write {path}"]


def test_a_drop_in_that_is_taken_is_taken_back_and_the_daemon_goes_on():
    facts = persistent("debian", drop_in=drop_in_text(None))
    assert not persistence_plan(facts, {})["steps"]
    path = drop_in_path(UNIT)
    plan = persistence_plan({**facts, **drifted("persistenced", path, {**RIGHT, "owner": "root:nogroup"})}, {})
    assert len(plan["steps"]) == 1 and path in plan["steps"][0]
    assert [file["path"] for file in plan["files"]] == [path] and not (plan["stop"] or plan["start"])
