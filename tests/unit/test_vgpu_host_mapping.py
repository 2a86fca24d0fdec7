"""A resource mapping of Proxmox VE. A stand-in for pvesh, written after its documentation, keeps the mappings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _proxmox_mapping as mapping
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

P4 = "0000:05:00.0"
OTHER = "id=10de:1bb3,iommugroup=9,node=pve2,path=0000:06:00.0,subsystem-id=10de:11d8"
MINE = "id=10de:1bb3,iommugroup=14,node=pve1,path=0000:05:00.0,subsystem-id=10de:11d8"


class Node(FakeSystem):
    """The node pve1 with a Tesla P4; *cluster* is {name: {id, map, mdev}} and shared by nodes."""

    def __init__(self, cluster=None):
        super().__init__(links={mapping.LOCAL: "nodes/pve1", f"{mapping.PCI}/{P4}/iommu_group": "../iommu_groups/14"})
        words = {"vendor": "10de", "device": "1bb3", "subsystem_vendor": "10de", "subsystem_device": "11d8"}
        self.files = {f"{mapping.PCI}/{P4}/{name}": f"0x{word}\n" for name, word in words.items()}
        self.cluster = cluster or {}
        self.commands[("pvesh",)] = self.pvesh

    def pvesh(self, argv):
        command, path, rest = argv[1], argv[2], argv[3:]
        if command == "get":
            return json.dumps(list(self.cluster.values()))
        name = rest[rest.index("--id") + 1] if command == "create" else path.rsplit("/", 1)[-1]
        if command == "delete":
            del self.cluster[name]
            return ""
        if (name in self.cluster) is (command == "create"):
            return Result(255, "", "pci ID already defined or not")
        maps = [rest[at + 1] for at, word in enumerate(rest) if word == "--map"]
        self.cluster[name] = {"id": name, "map": maps, "mdev": 1}
        return ""

    @property
    def calls(self):
        return [argv for argv in self.ran if argv[1] != "get"]


def ensure(system, apply=True, **more):
    params = {"name": "vgpu", "cards": [P4], "node": None, "state": "present", **more}
    return mapping.ensure(params, system, apply=apply)


def test_a_node_is_put_in_beside_the_others_and_once():
    system = Node({"vgpu": {"id": "vgpu", "map": [OTHER], "mdev": 1}})
    planned = ensure(system, apply=False)
    assert planned["changed"] and system.calls == []
    assert ensure(system) == planned and system.cluster["vgpu"]["map"] == [OTHER, MINE]
    assert not ensure(system)["changed"] and len(system.calls) == 1


def test_the_first_node_makes_it_and_the_last_one_takes_it_away():
    system = Node()
    assert ensure(system)["steps"] == ["Make the mapping vgpu with pve1"]
    assert system.calls[0][:6] == ["pvesh", "create", mapping.TREE, "--id", "vgpu", "--mdev"]
    assert ensure(system, state="absent")["changed"] and system.cluster == {}
    assert not ensure(system, state="absent")["changed"]


def test_absent_leaves_the_other_nodes():
    system = Node({"vgpu": {"id": "vgpu", "map": [OTHER, MINE], "mdev": 1}})
    assert ensure(system, state="absent")["steps"] == ["Take pve1 out of vgpu"]
    assert system.cluster["vgpu"]["map"] == [OTHER]


def test_a_mapping_for_whole_cards_becomes_one_for_parts_of_them():
    system = Node({"vgpu": {"id": "vgpu", "map": [f"description=old,{MINE}"]}})
    assert ensure(system)["changed"] and system.cluster["vgpu"]["mdev"] == 1
    assert not ensure(system)["changed"]


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (lambda node: None, {"cards": ["0000:99:00.0"]}, "No card is at 0000:99:00.0"),
        (lambda node: None, {"cards": []}, "gets no card"),
        (lambda node: node.links.pop(mapping.LOCAL), {}, "no Proxmox VE"),
        (lambda node: node.commands.update({("pvesh",): Result(2, "", "ipcc_send_rec failed")}), {}, "ipcc_send_rec"),
        (lambda node: node.commands.update({("pvesh",): "no json"}), {}, "no list of mappings"),
    ],
)
def test_what_cannot_be_is_said_before_any_change(change, more, words):
    system = Node()
    change(system)
    with pytest.raises(NvidiaError, match=words):
        ensure(system, **more)
    assert system.calls == []


@given(st.text() | st.lists(st.none() | st.dictionaries(st.sampled_from(["id", "map"]), st.text())).map(json.dumps))
def test_nothing_that_pvesh_says_makes_the_reader_stumble(text):
    try:
        found = mapping.parse(text, "vgpu")
    except NvidiaError:
        return
    assert isinstance(found.rows, tuple)
