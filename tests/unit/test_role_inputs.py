"""The digest of what the roles are given: the same in a play and in each role, another one for another thing."""

from __future__ import annotations

import json
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.lookup.role_inputs import LookupModule
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.role_inputs import (
    ONE_TIME,
    content_of,
    defaults,
    digest,
    files,
    is_path_like,
    is_plain,
    resolved,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import ROLES
from tests.unit.test_wants_lookup import play

GROUPS = {"pair": ["a", "b"], "others": ["c"]}


def inputs(**variables) -> str:
    known = {"inventory_hostname": "a", "groups": GROUPS, "playbook_dir": "/nowhere", **variables}
    (found,) = LookupModule(None, Templar(DataLoader(), known)).run([], known)
    return found


def test_every_option_of_every_role_counts_but_for_what_is_given_once():
    options: dict = {}
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        options |= yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert set(defaults()) == set(options) - ONE_TIME and set(options) > ONE_TIME
    first = inputs()
    assert [name for name in defaults() if inputs(**{name: "something else"}) == first] == []
    assert all(inputs(**{name: "something else"}) == first for name in ONE_TIME)


def test_a_default_is_what_it_says_so_that_it_is_the_same_in_scope_and_out_of_it():
    assert [name for name, value in defaults().items() if not is_plain(value)] == []
    assert inputs(**defaults()) == inputs()


def test_a_secret_counts_and_cannot_be_found_in_the_digest_of_another_host():
    assert inputs(vllm_serve_api_key="s1") != inputs(vllm_serve_api_key="s2")
    assert inputs(vllm_serve_api_key="s1") != inputs(vllm_serve_api_key="s1", inventory_hostname="b")


def test_a_template_counts_as_what_it_gives():
    template = trust_as_template("{{ base }}")
    assert inputs(nccl_version=template, base="auto") == inputs(nccl_version="auto", base="other")
    assert inputs(nccl_version=template, base="auto") != inputs(nccl_version=template, base="2.23.4")
    rows = [{"name": "i", "model": trust_as_template("org/{{ base }}")}]
    assert inputs(vllm_serve_instances=rows, base="m") != inputs(vllm_serve_instances=rows, base="n")


def test_a_value_that_cannot_be_resolved_counts_as_it_is_written_and_hides_no_other():
    broken = {"vllm_serve_version": trust_as_template("{{ nobody.knows }}"), "base": "x"}
    other = {"vllm_serve_version": trust_as_template("{{ nobody.knows_either }}"), "base": "x"}
    assert inputs(**broken) == inputs(**broken) != inputs(**other)
    template = trust_as_template("{{ base }}")
    assert inputs(**broken, nccl_version=template) == inputs(**broken, nccl_version="x")
    assert inputs(**broken, nccl_version=template) != inputs(**broken, nccl_version="y")


def test_variables_of_nobody_do_not_count():
    assert inputs(cuda_nonsense=1, mine=2) == inputs()


def test_a_group_s_members_count_where_instances_go_over_it():
    rows = [{"instance": "i", "hosts": ["pair"], "address": "a"}]
    first = inputs(vllm_serve_nodes=rows)
    assert inputs(vllm_serve_nodes=rows, groups={**GROUPS, "others": []}) == first
    assert inputs(vllm_serve_nodes=rows, groups={**GROUPS, "pair": ["b", "a"]}) != first


@pytest.mark.parametrize("place", ["token.tok", "files/token.tok"])
@pytest.mark.parametrize("way", ["relative", "absolute"])
def test_the_content_of_a_file_counts(tmp_path, place, way):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("a", encoding="utf-8")
    given_as = {"vgpu_guest_token": {"src": "token.tok" if way == "relative" else str(path)}}
    first = inputs(**given_as, playbook_dir=str(tmp_path))
    assert inputs(**given_as, playbook_dir=str(tmp_path)) == first
    path.write_text("bb", encoding="utf-8")
    assert inputs(**given_as, playbook_dir=str(tmp_path)) != first
    path.unlink()
    assert inputs(**given_as, playbook_dir=str(tmp_path)) not in (first, inputs())


def test_a_file_is_found_in_the_order_that_ansible_looks_for_it(tmp_path):
    (tmp_path / "files").mkdir()
    for name, text in (("files/x.run", "near"), ("x.run", "far")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert files({"a": ["x.run"]}, str(tmp_path)) == {"x.run": content_of(tmp_path / "files" / "x.run")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/x", True),
        ("~/x", True),
        ("x.run", True),
        ("a/b", True),
        ("12.6", False),
        ("535.183.01", False),
        ("auto", False),
        ("", False),
        ("https://example.org/x.run", False),
        ("-----BEGIN KEY-----\nx/y\n", False),
        ("/" * 5000, False),
    ],
)
def test_what_may_be_a_path(text, expected):
    assert is_path_like(text) is expected


@pytest.mark.parametrize("text", ["~nobody-of-that-name/x", "/etc", "/nowhere/x", "a\0/b", "/" + "x" * 300])
def test_what_is_no_file_has_no_content(text):
    assert files({"a": text}, "/nowhere") == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3),
    max_leaves=6,
)


@given(values, values)
def test_two_values_have_two_digests(one, other):
    is_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    digests = {digest("a", {"x": value}, {}, "/nowhere") for value in (one, other)}
    assert len(digests) == (1 if is_same else 2)


@given(values)
def test_a_plain_value_is_not_changed_by_templating(value):
    raw = {"x": value}
    assert resolved(raw, Templar(DataLoader(), {}).template, Exception) == raw


def test_a_play_and_each_of_its_roles_see_the_same(tmp_path):
    """With defaults in scope and without, from the inventory and from the command line."""
    same = {"ansible.builtin.assert": {"that": "first == lookup('gpufleet.nvidia.role_inputs')"}}
    tasks = [{"ansible.builtin.set_fact": {"first": "{{ lookup('gpufleet.nvidia.role_inputs') }}"}}]
    for path in sorted(ROLES.iterdir()):
        # its defaults come into scope; its own tasks are not run
        option = next(name for name in defaults() if name.startswith(f"{path.name}_"))
        there = {"ansible.builtin.assert": {"that": f"{option} is defined"}}
        (tmp_path / "roles" / path.name / "tasks").mkdir(parents=True)
        (tmp_path / "roles" / path.name / "defaults").symlink_to(path / "defaults")
        (tmp_path / "roles" / path.name / "tasks" / "main.yml").write_text(
            yaml.safe_dump([there, same]), encoding="utf-8"
        )
        tasks.append({"ansible.builtin.include_role": {"name": path.name}})
    plays = [{"hosts": "localhost", "gather_facts": False, "vars": {"base": "12.6"}, "tasks": [*tasks, same]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    given_too = {"cuda_versions": ["{{ base }}"], "nvidia_driver_branch": 535, "vllm_serve_api_key": "s"}
    (tmp_path / "vars.yml").write_text(yaml.safe_dump(given_too), encoding="utf-8")
    arguments = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    status, output = play(tmp_path, "play.yml", *arguments, "-e", "@vars.yml", "-e", "nvidia_driver_reboot_ok=yes")
    assert status == 0, output
