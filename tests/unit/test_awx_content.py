"""Content that is fit for AWX: answers that come as text, results that are handed on, and nobody to become."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.unit.test_patterns import OPTIONS, PATTERNS, ROOT, questions


def switches() -> list[str]:
    asked = {row["variable"] for folder in PATTERNS for row in questions(folder)}
    return sorted(name for name in asked if OPTIONS.get(name, {}).get("type") == "bool")


@pytest.mark.parametrize("name", switches())
def test_a_switch_that_comes_as_text_is_taken_as_a_switch(name):
    """Ansible takes no text for a condition, and in an expression every text that is not empty is true."""
    parameter = re.compile(rf'\s*\w+: "\{{\{{ {name} \}}\}}"')
    uses = 0
    for path in sorted((*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/vars/*.yml"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            # a sentence about the switch is none of its uses, and a module's parameter has a type
            if re.search(rf"\b{name}\b(?!: )", line) and not parameter.fullmatch(line):
                assert f"{name} | bool" in line, f"{path.relative_to(ROOT)}: {line.strip()}"
            uses += bool(re.search(rf"\b{name}\b", line))
    assert uses


def tasks(node) -> list[dict]:
    """Every mapping of a playbook that may be a task, at any depth."""
    if isinstance(node, list):
        return [task for row in node for task in tasks(row)]
    return [node, *(task for value in node.values() for task in tasks(value))] if isinstance(node, dict) else []


@pytest.mark.parametrize("job", sorted({"plan", "verify", "license", "drift", "report"}))
def test_results_are_handed_on_whole(job):
    """AWX keeps the last of what set_stats says; summing it up would glue the texts of several hosts together."""
    play = yaml.safe_load((ROOT / "playbooks" / f"{job}.yml").read_text(encoding="utf-8"))
    handed = [task["ansible.builtin.set_stats"] for task in tasks(play) if "ansible.builtin.set_stats" in task]
    assert handed and all(row["aggregate"] is False for row in handed)
    assert all(name.startswith("gpufleet_") for row in handed for name in row["data"])


def test_nothing_on_the_controller_asks_for_another_user_there():
    """AWX's templates become root on the hosts; in the execution environment there is nothing to become it with."""
    for path in (*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")):
        for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if task.get("delegate_to") == "localhost":
                assert task.get("become") is False, f"{path.relative_to(ROOT)}: {task['name']}"
