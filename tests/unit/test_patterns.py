"""The job templates that the collection brings: valid by the published rules, and one with what the roles say."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load as catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import role_options
from tests.unit.pattern_rules import broken_pattern, broken_survey

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = sorted((ROOT / "extensions" / "patterns").iterdir())
JOBS = {
    "converge_gpu_hosts": "site",
    "plan_gpu_hosts": "plan",
    "verify_gpu_hosts": "verify",
    "change_driver": "site",
    "enrol_secure_boot_key": "secure_boot",
    "report_licenses": "license",
    "report_drift": "drift",
    "report_change": "report",
    "serve_models": "serve",
}
# What a question of each type answers with, as AWX hands it on.
ANSWERS = {"integer": {"int"}, "text": {"str"}, "multiplechoice": {"str", "bool", "int"}, "multiselect": {"list"}}
# Options whose choices no argument specification has, because the catalogue has them.
CATALOGUED = {
    "nvidia_driver_branch": {str(branch) for branch in catalogue().branches},
    "cuda_versions": {"auto", *catalogue().cuda["releases"]},
}

by_pattern = pytest.mark.parametrize("folder", PATTERNS, ids=lambda path: path.name)


def load(folder: Path) -> dict:
    return json.loads((folder / "meta" / "pattern.json").read_text(encoding="utf-8"))


def template(folder: Path) -> dict:
    (one,) = load(folder)["aap_resources"]["controller_job_templates"]
    return one


def questions(folder: Path) -> list[dict]:
    return template(folder)["survey"]["spec"]


def play_options(folder: Path) -> dict:
    """The variables of the pattern's playbook, as its own argument specification has them."""
    path = folder / "playbooks" / f"{folder.name}.meta.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]


def secrets() -> set[str]:
    specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = [row for spec in specs for row in spec["argument_specs"]["main"]["options"].items()]
    return {name for name, option in options if option.get("no_log")}


OPTIONS = {f"{role}_{name}": option for role, options in role_options().items() for name, option in options.items()}


def test_there_is_one_for_each_job_that_a_person_starts():
    assert {path.name for path in PATTERNS} == set(JOBS)


@by_pattern
def test_it_keeps_the_published_rules(folder):
    assert list(broken_pattern(load(folder), folder.name)) == []


@by_pattern
def test_it_has_the_files_that_the_specification_wants(folder):
    assert (folder / "README.md").is_file()
    assert (folder / "playbooks" / template(folder)["playbook"]).is_file()


@by_pattern
def test_its_playbook_is_the_collection_s(folder):
    (play,) = yaml.safe_load((folder / "playbooks" / template(folder)["playbook"]).read_text(encoding="utf-8"))
    assert play["ansible.builtin.import_playbook"] == f"gpufleet.nvidia.{JOBS[folder.name]}"
    assert (ROOT / "playbooks" / f"{JOBS[folder.name]}.yml").is_file()


@by_pattern
def test_a_question_agrees_with_the_role_s_option(folder):
    own = play_options(folder)
    assert list(own) == [row["variable"] for row in questions(folder)]
    for row in questions(folder):
        name = row["variable"]
        option = OPTIONS.get(name, own[name])
        assert own[name]["type"] == option["type"], name
        assert own[name].get("choices") == option.get("choices"), name
        assert option["type"] in ANSWERS[row["type"]], name
        if name in CATALOGUED:
            assert set(row["choices"]) <= CATALOGUED[name], name
        elif option["type"] == "bool":
            assert row["choices"] == ["true", "false"], name
        elif row["type"] in {"multiplechoice", "multiselect"}:
            assert row["choices"] == option["choices"], name
        else:
            assert "choices" not in option, name


@by_pattern
def test_limits_are_there_for_numbers_and_texts_and_are_those_that_the_option_tells(folder):
    own = play_options(folder)
    for row in questions(folder):
        name = row["variable"]
        if row["type"] == "integer":
            assert row["min"] < row["max"], name
        if row["type"] == "text":
            assert row["max"] > 0, name
            # an empty answer would be refused, and AWX sends one for a question that nobody answered
            assert "min" not in row, name
        told = re.search(r"from (-?\d+) to (\d+)", str(OPTIONS.get(name, own[name])["description"]))
        if told:
            assert [row["min"], row["max"]] == [int(told[1]), int(told[2])], name


@by_pattern
def test_nothing_is_asked_that_the_inventory_would_lose_unasked(folder):
    """A default would win over what hosts and groups declare, whether or not anybody looked at the question."""
    assert [row["variable"] for row in questions(folder) if "default" in row] == []


@by_pattern
def test_no_secret_is_asked_for(folder):
    asked = {row["variable"] for row in questions(folder)}
    assert asked & secrets() == set()
    assert not any(row["type"] == "password" for row in questions(folder))


@by_pattern
def test_the_guide_tells_every_question(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\(`(\w+)`\)", text) == [row["variable"] for row in questions(folder)]


def test_a_variable_that_no_role_has_is_one_of_the_playbook():
    for folder in PATTERNS:
        text = (ROOT / "playbooks" / f"{JOBS[folder.name]}.yml").read_text(encoding="utf-8")
        for row in questions(folder):
            assert row["variable"] in OPTIONS or row["variable"] in text, row["variable"]


BREAKS = {
    "no choices": lambda row: row.update(type="multiplechoice", choices=[]),
    "of no known type": lambda row: row.update(type="list"),
    "no question_name": lambda row: row.pop("question_name"),
    "no name for a variable": lambda row: row.update(variable="Über"),
    "whether it must be answered": lambda row: row.update(required="yes"),
    "no whole number": lambda row: row.update(max="64"),
    "one of the two refuses": lambda row: row.update(type="integer", default="3"),
    "none of its choices": lambda row: row.update(type="multiplechoice", choices=["a"], default="b"),
    "a choice that is no text": lambda row: row.update(type="multiselect", choices=[580]),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_the_rules_find_what_breaks_them(sentence):
    survey = copy.deepcopy(template(PATTERNS[0])["survey"])
    BREAKS[sentence](survey["spec"][-1])
    assert [text for text in broken_survey(survey) if sentence in text]


def test_the_guide_for_awx_names_every_template():
    text = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
    assert [path.name for path in PATTERNS if f"| {template(path)['name']} |" not in text] == []
