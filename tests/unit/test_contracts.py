"""What the parts of the collection promise each other: a fact is written once, and a second spelling fails here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import (
    cuda_plan,
    driver_outline,
    nccl_plan,
    preflight_plan,
    vgpu_host_plan,
    vllm_plan,
)

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Those that leave something behind: the role preflight only looks.
RECORDED = [path for path in ROLES if path.name != "preflight"]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
PHASES = {"set_vars", "preflight", "install", "configure", "service", "verify", "reboot", "record"}

by_recorded_role = pytest.mark.parametrize("role", RECORDED, ids=lambda path: path.name)
by_role = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
by_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
PARTS = ("files", "packages", "units", "facts")


def load(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def options(role: Path) -> dict:
    return load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def constant(module: Path, name: str):
    """The value of a module-level constant, read without importing the module."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if value is not None and any(getattr(target, "id", None) == name for target in targets):
            return ast.literal_eval(value)
    raise AssertionError(f"{module.name} has no {name}")


def role_text(role: Path) -> str:
    parts = [
        path for folder in ("tasks", "handlers", "templates", "vars") for path in sorted((role / folder).glob("*"))
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in parts)


@by_role
def test_defaults_and_argument_specs_agree(role):
    defaults = load(role / "defaults" / "main.yml")
    assert set(defaults) == set(options(role))
    for name, option in options(role).items():
        assert option.get("default") == defaults[name], name


PLANS = {
    "nvidia_driver": driver_outline,
    "cuda": cuda_plan,
    "nccl": nccl_plan,
    "preflight": preflight_plan,
    "vgpu_host": vgpu_host_plan,
    "vllm_serve": vllm_plan,
}


@pytest.mark.parametrize("role", PLANS)
def test_a_plan_assumes_what_its_role_says(role):
    """A filter that is called without a variable decides as the role does."""
    said = {
        name.removeprefix(f"{role}_"): value
        for name, value in load(ROOT / "roles" / role / "defaults" / "main.yml").items()
    }
    assumed = {name: value for name, value in PLANS[role].DEFAULTS.items() if name != "requires"}
    assert assumed == {name: said[name] for name in assumed}


@by_role
def test_every_variable_carries_the_role_as_prefix(role):
    assert all(name.startswith(f"{role.name}_") for name in options(role))
    internal = set(load(role / "vars" / "main.yml"))
    assert all(name.startswith(f"__{role.name}_") for name in internal)


@by_role
def test_every_internal_name_that_is_used_is_defined(role):
    text = role_text(role)
    used = set(re.findall(rf"\b__{role.name}_\w+", text))
    defined = set(re.findall(rf"^\s*(?:register:\s*|loop_var:\s*)?(__{role.name}_\w+)(?::|\s*$)", text, flags=re.M))
    defined |= {name for path in (role / "vars").glob("*.yml") for name in load(path)}
    assert used <= defined, f"used but never defined: {sorted(used - defined)}"


@by_role
def test_every_option_is_used(role):
    text = role_text(role)
    unused = [name for name in options(role) if not re.search(rf"\b{name}\b", text)]
    assert unused == []


@by_role
def test_the_role_has_the_shape_of_all_roles(role):
    for part in (
        "README.md",
        "meta/main.yml",
        "meta/argument_specs.yml",
        "defaults/main.yml",
        "vars/main.yml",
        "tasks/main.yml",
    ):
        assert (role / part).is_file(), part
    assert 30 <= len((role / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
    assert len((role / "tasks" / "main.yml").read_text(encoding="utf-8").splitlines()) <= 40
    for path in (role / "tasks").glob("*.yml"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 70, path.name


@by_role
def test_tasks_of_a_phase_are_named_after_it(role):
    for path in (role / "tasks").glob("*.yml"):
        if path.stem == "main":
            continue
        assert path.stem.split("_")[0] in {phase.split("_")[0] for phase in PHASES}, path.name
        for task in load(path):
            assert task["name"].startswith(f"{path.stem} | "), f"{path.name}: {task['name']}"
            assert not task["name"].endswith("."), task["name"]


@by_recorded_role
def test_a_role_leaves_first_where_nothing_has_moved_and_remembers_last_what_it_left(role):
    first, leave, *_others, last = load(role / "tasks" / "main.yml")
    assert first["ansible.builtin.import_tasks"] == "set_vars.yml"
    assert leave["ansible.builtin.meta"] == "end_role"
    assert leave["when"] == f"lookup('gpufleet.nvidia.converged', '{role.name}')"
    assert last["ansible.builtin.import_tasks"] == "record.yml"
    (record,) = load(role / "tasks" / "record.yml")
    told = record["gpufleet.nvidia.convergence_record"]
    assert told["role"] == role.name
    assert {part: told[part] for part in PARTS} == {part: f"{{{{ __{role.name}_managed.{part} }}}}" for part in PARTS}
    assert set(load(role / "vars" / "main.yml")[f"__{role.name}_managed"]) == set(PARTS)
    # A foretold state is no proof, and neither is one that waits for a reboot or is not as declared.
    assert "not ansible_check_mode" in record["when"] and len(record["when"]) > 1


def test_a_play_leaves_a_host_alone_that_all_of_its_roles_would_leave_alone():
    plays = [play for name in ("site", "serve") for play in load(ROOT / "playbooks" / f"{name}.yml")]
    for play in plays:
        assert "roles" not in play, "a role that is imported is read also where every host leaves"
        names = [row["ansible.builtin.include_role"]["name"].rsplit(".", 1)[1] for row in play["tasks"]]
        names = [name for name in names if name != "preflight"]
        *_before, leave = [task for task in play["pre_tasks"] if task.get("ansible.builtin.meta") == "end_host"]
        assert leave["when"] == f"lookup('gpufleet.nvidia.converged', {', '.join(map(repr, names))})", play["name"]
        kept = [task["ansible.builtin.include_role"] for task in play.get("post_tasks", [])]
        kept = [row["name"].rsplit(".", 1)[1] for row in kept if row["tasks_from"] == "record"]
        assert kept == (names if "post_tasks" in play else []), play["name"]


@by_role
def test_nothing_in_a_role_hides_a_failure_or_a_change(role):
    text = role_text(role)
    for forbidden in ("ignore_errors", "ansible.builtin.shell", "changed_when: false"):
        assert forbidden not in text, forbidden


@by_role
def test_every_role_has_a_molecule_scenario(role):
    assert (ROOT / "molecule" / role.name / "molecule.yml").is_file()


@by_module
def test_documented_options_are_the_module_s_options(module):
    documented = yaml.safe_load(constant(module, "DOCUMENTATION"))["options"]
    spec = constant(module, "ARGUMENT_SPEC")
    assert set(documented) == set(spec)
    for name, option in documented.items():
        assert option.get("default") == spec[name].get("default"), name
        assert option.get("type", "str") == spec[name].get("type", "str"), name


@by_module
def test_every_module_says_what_check_and_diff_mode_do(module):
    attributes = yaml.safe_load(constant(module, "DOCUMENTATION"))["attributes"]
    assert {"check_mode", "diff_mode", "platform"} <= set(attributes)
    if module.stem.endswith("_facts"):
        assert attributes["check_mode"]["support"] == "full"


@by_module
def test_fail_json_stands_in_main_alone(module):
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name != "main":
            assert "fail_json" not in ast.unparse(node), node.name


def test_no_module_core_knows_ansible():
    for path in (ROOT / "plugins" / "module_utils").glob("_*.py"):
        if path.name != "_system.py":
            assert "ansible.module_utils" not in path.read_text(encoding="utf-8"), path.name


def test_what_the_guides_name_exists():
    for guide in (ROOT / "docs").glob("*.md"):
        for name in re.findall(
            r"`((?:tests|molecule|playbooks|inventories|roles)/[\w./-]+)`", guide.read_text(encoding="utf-8")
        ):
            assert (ROOT / name).exists() or name == "inventories/yours", f"{guide.name} names {name}"


def test_facts_are_read_again_right_after_modules_were_loaded():
    """What follows decides by the facts; stale ones would call a host broken whose modules have just been loaded."""
    (block,) = [task["block"] for task in load(ROOT / "roles/nvidia_driver/tasks/service.yml") if "block" in task]
    modules = [next(key for key in task if key.startswith("gpufleet.")) for task in block]
    assert modules == ["gpufleet.nvidia.driver_modules", "gpufleet.nvidia.gpu_facts"]
