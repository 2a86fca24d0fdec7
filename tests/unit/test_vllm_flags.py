"""The table of options holds what the parsers of the releases say of themselves."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import METHODS, OWNED, TASKS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import (
    flags_of,
    newest,
    oldest,
    spans_of,
    table,
    when,
)
from tests.unit.vllm_parser_stand_in import CAPTURED, SWITCHES, options, releases

KINDS = {None: "value", "?": "optional", "+": "list", "*": "list"}


def _names(release):
    return {name[2:]: row for row in options(release) for name in row["names"] if name.startswith("--")}


@pytest.mark.parametrize("release", releases())
def test_the_table_has_the_options_of_the_parser_and_no_others(release):
    table_s = flags_of(release).kinds
    named = {flag for flag, kind in table_s.items()} | {
        f"no-{flag}" for flag, kind in table_s.items() if kind == "pair"
    }
    # --config was added by `vllm serve` itself before 0.10.0
    assert named - {"config"} == set(_names(release)) - {"config"}


@pytest.mark.parametrize("release", releases())
def test_an_option_takes_as_many_values_as_in_the_parser(release):
    table_s, rows = flags_of(release).kinds, _names(release)
    for flag in set(table_s) & set(rows):
        row = rows[flag]
        if row["action"] in SWITCHES:
            assert table_s[flag] == ("pair" if f"no-{flag}" in rows else "switch"), flag
        elif row["action"] == "_AppendAction":
            assert table_s[flag] == "repeat", flag
        else:
            assert table_s[flag] == KINDS[row.get("nargs")], flag


@pytest.mark.parametrize("flag", sorted(table()["choices"]))
def test_values_that_a_parser_checks_are_those_of_the_table(flag):
    for release in releases():
        row = _names(release).get(flag)
        theirs = sorted(set(row.get("choices") or []) - {"None"}) if row else []
        assert (flags_of(release).choices(flag) or []) == theirs, release


def _accepted():
    for line in (CAPTURED / "accepted.txt").read_text(encoding="utf-8").splitlines()[1:]:
        answers = re.findall(r"ok!?|no|EXC", line[58:])
        flags = [flag for flag in re.findall(r"--[a-z0-9-]+(?![a-z0-9_.-])", line[:58]) if not line[:58].endswith(flag)]
        if flags and "--tensor-parallel-siz " not in line:  # the beginning of an option, which the parsers take
            yield pytest.param(flags, dict(zip(releases(), answers, strict=True)), id=line[:58].strip())


@pytest.mark.parametrize(("flags", "answers"), list(_accepted()))
def test_what_a_real_parser_took_is_in_the_table(flags, answers):
    for release, answer in answers.items():
        if answer == "ok" and (release, flags) not in [("0.25.1", ["--device"]), ("0.29.0", ["--device"])]:
            known = flags_of(release).kinds  # --device was taken for the beginning of --device-ids there
            for flag in flags:
                name = flag[2:]
                assert name in known or known.get(name.removeprefix("no-")) == "pair", (release, flag)


@pytest.mark.parametrize(
    ("flag", "first", "last"),
    [
        ("task", "0.6.4.post1", "0.12.0"),
        ("runner", "0.10.1", None),
        ("speculative-model", "0.5.4", "0.8.2"),
        ("speculative-config", "0.8.2", None),
        ("swap-space", "0.5.4", "0.17.1"),
        ("shutdown-timeout", "0.18.0", None),
        ("kv-cache-memory-bytes", "0.10.2", None),
    ],
)
def test_well_known_options_came_and_went_when_they_did(flag, first, last):
    rows = spans_of(flag)
    assert (rows[0]["first"], rows[-1]["last"]) == (first, last)


def test_spans_of_an_option_do_not_overlap():
    for flag in {flag for span in table()["spans"] for flag in span["flags"]}:
        rows = spans_of(flag)
        for before, after in zip(rows, rows[1:], strict=False):
            assert before["last"] and version_key(before["last"]) < version_key(after["first"]), flag


def test_a_release_that_nobody_looked_at_has_what_its_neighbours_share():
    assert "0.12.1" not in table()["releases"]
    between = set(flags_of("0.12.1").kinds)
    assert between == set(flags_of("0.12.0").kinds) & set(flags_of("0.13.0").kinds)
    assert flags_of("0.99.0").kinds == flags_of(newest()).kinds


def test_the_table_reaches_as_far_as_the_catalogue():
    known = [version for row in load().vllm.values() for version in row["versions"]]
    assert newest() == max(known, key=version_key)
    assert oldest() == min(known, key=version_key)


def test_which_release_can_is_said():
    assert when(spans_of("runner"), "0.9.2") == "vLLM 0.10.1 is the first that can"
    assert when(spans_of("task"), "0.20.2") == "vLLM 0.12.0 was the last that could"
    assert when(table()["speculation"]["draft_model"], "0.11.0") == "vLLM 0.16.0 is the first that can"
    assert when([], "0.11.0") == "no known vLLM can"


def test_every_word_of_the_spec_has_its_rows():
    assert set(table()["tasks"]) == set(TASKS)
    assert set(table()["speculation"]) == set(METHODS)
    assert all(spans_of(flag) for flag in OWNED)
