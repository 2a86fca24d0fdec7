# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ``vllm_serve_instances`` as a person wrote it to instances of one shape, and everything that is wrong with it.

The servers' own parsers let pass what the server then dies of: a port of 99999, a share of 1.5, a parallel size of 0.
Here it is an error, with all others, before anything is touched.
"""

from __future__ import annotations

import math
import re
from copy import copy
from difflib import get_close_matches
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_contradictions import contradictions
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import FIELDS, NAME, Field

SOURCE = "vllm_serve_instances"
Findings = list[dict[str, str]]
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Invalid(Exception):
    """A value that is not what its field takes; the text ends the sentence ``Instance x: port is 99999, …``."""


def instances_of(given: Any) -> tuple[list[dict[str, Any]], Findings]:
    """Every instance with all its fields, and the findings.

    What is wrong in an instance takes its default, so that it is still held against the others; its ``valid`` is false.

    :param given: ``vllm_serve_instances``
    """
    if not isinstance(given, list):
        text = "vllm_serve_instances is not a list. Write each instance as one of its elements: - {name: …, model: …}."
        return [], [error("vllm_spec_invalid", text, SOURCE)]
    specs, findings = [], []
    for place, row in enumerate(given, start=1):
        spec, found = instance_of(row, place)
        findings += found
        if spec:
            specs.append(spec)
    names = [row.get("name") for row in given if isinstance(row, dict)]
    for name in sorted({str(name) for name in names if name is not None and names.count(name) > 1}):
        text = f"Two instances are called {name}, and a name is that of one service. Give each its own."
        findings.append(error("vllm_name_twice", text, SOURCE))
    return specs, findings


def instance_of(row: Any, place: int = 1) -> tuple[dict[str, Any], Findings]:
    """One instance with all its fields and whether it is ``valid``, and what is wrong with it; {}: it is no mapping."""
    if not isinstance(row, dict):
        text = f"Instance {place} of vllm_serve_instances is {row!r}, not a mapping. Write it as {{name: …, model: …}}."
        return {}, [error("vllm_spec_invalid", text, SOURCE)]
    label = f"Instance {row.get('name') or place}"
    wanted = {"name": FIELDS["name"], "state": FIELDS["state"]} if row.get("state") == "absent" else FIELDS
    known = {name: value for name, value in row.items() if name in wanted or name not in FIELDS}
    spec, findings = filled(known, wanted, label, "")
    if wanted is not FIELDS:
        spec = {**{name: _default(field) for name, field in FIELDS.items()}, **spec}
    name = spec.get("name")
    if name is not None and not NAME.fullmatch(name):
        text = (
            f"{label}: the name becomes that of a service, so it has at most 48 small letters, digits, dots, dashes and"
            " underscores, and begins with a letter or a digit. Change it."
        )
        findings.append(error("vllm_name_invalid", text, SOURCE))
    spec["served_names"] = spec["served_names"] or [str(name or place)]
    if not findings and spec["state"] != "absent":
        findings += contradictions(spec)
    spec["name"] = spec["name"] or str(place)
    spec["valid"] = not any(found["severity"] == "error" for found in findings)
    return spec, findings


def _default(field: Field) -> Any:
    return copy(field.default)


def filled(
    row: dict[str, Any], fields: dict[str, Field], label: str, where: str, source: str = SOURCE
) -> tuple[dict[str, Any], Findings]:
    """The *fields* with the values of *row* or their defaults; *where*: ``lora.`` for those of a dict in a field.

    :param source: the role's variable that has the row
    """
    findings: Findings = []
    for key in row:
        if key not in fields:
            near = get_close_matches(str(key), list(fields), n=1, cutoff=0.5)
            hint = f"did you mean {where}{near[0]}?" if near else f"it can have {listed(sorted(fields))}."
            extra = "" if where or near or source != SOURCE else " Options of vllm serve itself go into arguments."
            text = f"{label} has no field {where}{key}: {hint}{extra}"
            findings.append(error("vllm_field_unknown", text, source))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        value = row.get(key)
        if value is None or (value == "" and field.kind != "str"):
            values[key] = _default(field)
            if field.required:
                text = f"{label} has no {where}{key}, and cannot be without. Set it."
                findings.append(error("vllm_field_missing", text, source))
            continue
        try:
            values[key], found = _value(value, field, label, f"{where}{key}")
            findings += found
        except Invalid as exc:
            text = f"{label}: {where}{key} is {value!r}, {exc}"
            findings.append(error("vllm_field_invalid", text, source))
            values[key] = _default(field)
    return values, findings


def _value(value: Any, field: Field, label: str, where: str) -> tuple[Any, Findings]:
    if field.kind == "dict":
        if not isinstance(value, dict):
            raise Invalid("which is not a mapping. Write it as {key: value}.")
        return filled(value, field.fields, label, f"{where}.") if field.fields else (dict(value), [])
    if field.kind == "list":
        return _list(value, field, label, where)
    return _scalar(value, field), []


def _list(value: Any, field: Field, label: str, where: str) -> tuple[list[Any], Findings]:
    rows = value if isinstance(value, list) else [value]
    one = Field(str(field.elements), low=field.low, high=field.high, fields=field.fields)
    found: Findings = []
    values = []
    for row in rows:
        each, wrong = _value(row, one, label, where)
        values.append(each)
        found += wrong
    return values, found


def _scalar(value: Any, field: Field) -> Any:
    if field.kind == "bool":
        return _bool(value)
    if field.kind in ("int", "float"):
        return _number(value, field)
    if isinstance(value, (bool, dict, list, float)):
        raise Invalid("which is not a text. Put it in quotes.")
    text = str(value)
    if not text.strip() or re.search(r"[\x00-\x1f\x7f]", text):
        raise Invalid("which is empty or has control characters. Leave the field out, or correct it.")
    if field.choices and text not in field.choices:
        near = get_close_matches(text, field.choices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"Take one of {listed(list(field.choices))}."
        raise Invalid(f"which is none of its choices: {hint}" if near else f"which is none of its choices. {hint}")
    return text


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in (*TRUE, *FALSE):
        raise Invalid("which is neither true nor false.")
    return text in TRUE


def _number(value: Any, field: Field) -> int | float:
    kind = "a whole number" if field.kind == "int" else "a number"
    try:
        if isinstance(value, (bool, dict, list)):
            raise ValueError
        number: int | float = int(str(value)) if field.kind == "int" else float(str(value))
    except ValueError:
        raise Invalid(f"which is not {kind}. Write it with digits alone.") from None
    low, high = field.low, field.high
    floor, ceiling = -math.inf if low is None else low, math.inf if high is None else high
    if not (math.isfinite(number) and floor <= number <= ceiling):
        span = f"from {low:g} to {high:g}" if low is not None and high is not None else f"of at least {low or 0:g}"
        raise Invalid(f"and {kind} {span} is wanted. Correct it.")
    return number
