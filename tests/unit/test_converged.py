"""When a role has nothing to do: any doubt makes it run."""

from __future__ import annotations

from functools import cache

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.lookup import converged, role_inputs
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.records import collection_digest, doubt, version

RECORD: dict = {
    "inputs": "aa",
    "collection": "0.1.0+bb",
    "converged": "t",
    "damaged": None,
    "unchecked": [],
    "drift": [],
}


def test_a_record_that_agrees_leaves_no_doubt():
    assert doubt({"cuda": RECORD}, "cuda", "aa", "0.1.0+bb") is None


@pytest.mark.parametrize(
    ("records", "says"),
    [
        (None, "no record"),
        ({}, "no record"),
        ({"nccl": RECORD}, "no record"),
        ({"cuda": None}, "no record"),
        ({"cuda": {**RECORD, "damaged": "it is not JSON"}}, "damaged: it is not JSON"),
        ({"cuda": {**RECORD, "damaged": ""}}, "damaged"),
        ({"cuda": {**RECORD, "collection": "0.0.9+bb"}}, "by another collection, 0.0.9+bb"),
        ({"cuda": {**RECORD, "inputs": "ab"}}, "given something else"),
        ({"cuda": {**RECORD, "unchecked": ["place"]}}, "unchecked: place"),
        ({"cuda": {**RECORD, "drift": [{"text": "/etc/x edited"}]}}, "drift: /etc/x edited"),
        ({"cuda": {**RECORD, "drift": None}}, "does not tell its drift"),
    ],
)
def test_any_doubt_has_its_reason(records, says):
    assert says in (doubt(records, "cuda", "aa", "0.1.0+bb") or "")


@pytest.mark.parametrize("key", sorted(set(RECORD) - {"converged"}))
def test_what_a_record_does_not_say_is_a_doubt(key):
    record = {name: value for name, value in RECORD.items() if name != key}
    assert doubt({"cuda": record}, "cuda", "aa", "0.1.0+bb")


values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=5,
)


@given(values, values)
def test_nothing_that_is_no_record_is_taken_for_one(record, drift):
    assert doubt({"cuda": record}, "cuda", "aa", "0.1.0+bb")
    assert doubt(record, "cuda", "aa", "0.1.0+bb")
    told = doubt({"cuda": {**RECORD, "drift": drift}}, "cuda", "aa", "0.1.0+bb")
    assert (told is None) == (drift == [])


def lookup(name: str, terms: list[str], **variables):
    known = {"inventory_hostname": "a", "groups": {}, "playbook_dir": "/", **variables}
    loader = DataLoader()
    templar = Templar(loader, known)
    plugin = {"converged": converged, "role_inputs": role_inputs}[name].LookupModule(loader, templar)
    (found,) = plugin.run(terms, known)
    return found


@cache
def present() -> dict:
    inputs = lookup("role_inputs", [], cuda_versions=["12.6"])
    return {**RECORD, "inputs": inputs, "collection": collection_digest()}


def facts(**changes) -> dict:
    record = {**present(), **changes}
    return {"ansible_facts": {"nvidia": {"records": {"cuda": record, "nccl": record}}}, "cuda_versions": ["12.6"]}


@pytest.mark.parametrize("roles", [["cuda"], ["cuda", "nccl"], [["cuda", "nccl"]]])
def test_the_lookup_is_true_where_all_roles_are_as_they_were(roles):
    assert lookup("converged", roles, **facts()) is True


@pytest.mark.parametrize(
    ("roles", "variables"),
    [
        ([], facts()),
        (["cuda", "nvidia_driver"], facts()),
        (["cuda"], facts(damaged="x")),
        (["cuda"], {**facts(), "cuda_versions": ["12.8"]}),
        (["cuda"], {**facts(), "nccl_version": "auto"}),
        (["cuda"], {**facts(), "inventory_hostname": "b"}),
        (["cuda"], {**facts(), "gpufleet_full": True}),
        (["cuda"], {**facts(), "gpufleet_full": "yes"}),
        (["cuda"], {**facts(), "gpufleet_full": trust_as_template("{{ 1 == 1 }}")}),
        (["cuda"], {"ansible_facts": {}}),
        (["cuda"], {"ansible_facts": {"nvidia": None}}),
        (["cuda"], {"ansible_facts": {"nvidia": {}}}),
        (["cuda"], {"ansible_facts": {"nvidia": {"records": []}}}),
        (["cuda"], {}),
    ],
)
def test_the_lookup_is_false_at_any_doubt(roles, variables):
    assert lookup("converged", roles, **variables) is False


@pytest.mark.parametrize("full", [False, "no", "", None, trust_as_template("{{ 1 == 2 }}")])
def test_what_means_no_does_not_make_everything_run(full):
    assert lookup("converged", ["cuda"], **{**facts(), "gpufleet_full": full}) is True


def test_a_collection_is_another_one_when_a_plugin_or_role_changes(tmp_path):
    def digest(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        collection_digest.cache_clear()
        return collection_digest(tmp_path)

    first = digest("galaxy.yml", "version: 1.2.3\n")
    assert first.startswith("1.2.3+") and len(first.partition("+")[2]) == 12
    second = digest("plugins/modules/x.py", "a")
    assert second != first
    assert digest("plugins/modules/x.py", "b") != second
    third = digest("roles/cuda/tasks/main.yml", "a")
    assert digest("plugins/modules/__pycache__/x.pyc", "a") == third
    assert digest("docs/x.md", "a") == third
    assert digest("galaxy.yml", "version: 1.2.4\n").startswith("1.2.4+")
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "2.0.0"}}', encoding="utf-8")
    assert version(tmp_path) == "2.0.0"
    collection_digest.cache_clear()
