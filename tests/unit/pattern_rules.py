"""The published rules for patterns and surveys, as sentences about what breaks them.

Sources, read in November 2026: specifications/pattern-schema/pattern-schema-3.0.0.json and
specifications/pattern-specification/pattern-specification-2.0.0.md of github.com/ansible/pattern-service for patterns;
JobTemplateSurveySpec in awx/api/views/__init__.py and SurveyJobTemplateMixin in awx/main/models/mixins.py of
github.com/ansible/awx (devel, October 2024) for surveys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"[a-z0-9_]{1,64}")
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}
PATTERN = {"schema_version", "name", "title", "description", "short_description", "aap_resources"}
RESOURCES = {"controller_project", "controller_job_templates"}
QUESTION = {"type", "question_name", "question_description", "variable", "required"}


def broken_pattern(pattern: dict[str, Any], folder: str) -> Iterator[str]:
    """What of the pattern schema the content of a pattern.json in *folder* breaks."""
    yield from _missing("the pattern", pattern, PATTERN)
    if pattern["name"] != folder or not NAME.fullmatch(folder):
        yield f"the name {pattern['name']} is not the folder's, or has other than small letters, digits and underscores"
    if len(pattern["title"]) > 64:
        yield "the title has more than 64 characters"
    if pattern["short_description"].endswith(".") or "\n" in pattern["short_description"]:
        yield "the short description is a sentence, not a phrase"
    if len(set(pattern.get("tags", []))) != len(pattern.get("tags", [])):
        yield "a tag is there twice"
    resources = pattern["aap_resources"]
    yield from _missing("aap_resources", resources, RESOURCES)
    yield from _missing("the project", resources["controller_project"], {"name", "description"})
    image = resources.get("controller_execution_environment")
    if image is not None:
        yield from _missing("the execution environment", image, {"name", "description", "image_name"})
        if image.get("pull", "missing") not in {"always", "missing", "never"}:
            yield "pull is none of always, missing and never"
    templates = resources["controller_job_templates"]
    if not templates:
        yield "there is no job template"
    if len(templates) > 1 and sum(row.get("primary", False) for row in templates) != 1:
        yield "not one of several templates is the primary one"
    for template in templates:
        yield from _broken_template(template, resources)


def _broken_template(template: dict[str, Any], resources: dict[str, Any]) -> Iterator[str]:
    yield from _missing("a template", template, {"name", "description", "playbook"})
    if len(template["name"]) > 200:
        yield "a template's name has more than 200 characters"
    known = (resources.get("controller_execution_environment") or {}).get("name")
    if template.get("execution_environment", known) != known:
        yield f"{template['name']} names another execution environment"
    if not set(template.get("labels", [])) <= set(resources.get("controller_labels", [])):
        yield f"{template['name']} has a label that the pattern does not create"
    if "survey" in template:
        yield from broken_survey(template["survey"])


def broken_survey(survey: dict[str, Any]) -> Iterator[str]:
    """What of the pattern schema, or of what AWX's API takes, a survey breaks."""
    yield from _missing("the survey", survey, {"name", "description", "spec"})
    if not survey["spec"]:
        yield "the survey has no question"
    variables = [row.get("variable") for row in survey["spec"]]
    if len(set(variables)) != len(variables):
        yield "two questions have one variable"
    for row in survey["spec"]:
        yield from _broken_question(row)


def _broken_question(row: dict[str, Any]) -> Iterator[str]:
    yield from _missing("a question", row, QUESTION)
    name, choices = row["variable"], row.get("choices")
    if not NAME.fullmatch(name):
        yield f"{name} is no name for a variable"
    if row["type"] not in TYPES:
        yield f"{name} is of no known type"
    if not isinstance(row["required"], bool):
        yield f"{name} does not say whether it must be answered"
    if row["type"] in {"multiplechoice", "multiselect"} and not choices:
        yield f"{name} has no choices"
    if choices is not None and not all(isinstance(choice, str) and choice.strip() for choice in choices):
        yield f"{name} has a choice that is no text"
    for key in ("min", "max"):
        if key in row and (not isinstance(row[key], int) or isinstance(row[key], bool)):
            yield f"{name}: {key} is no whole number"
    # The pattern schema wants a text, AWX the type of the question: a default is possible only where both are one.
    default = row.get("default")
    if default is not None and (row["type"] in {"integer", "float"} or not isinstance(default, str)):
        yield f"{name} has a default that one of the two refuses"
    if default and choices and not set(default.splitlines()) <= set(choices):
        yield f"{name} has a default that is none of its choices"


def _missing(what: str, given: dict[str, Any], wanted: set[str]) -> Iterator[str]:
    for key in sorted(wanted - set(given)):
        yield f"{what} has no {key}"
