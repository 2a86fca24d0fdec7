"""gridd.conf: what its lines mean, and an editor that changes only what it was asked to change."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd, _gridd_conf
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_conf_edit import edit
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.gridd import ARGUMENT_SPEC
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

TEMPLATE = fixture("gridd/conf-template-535.txt")
PATH = "/etc/nvidia/gridd.conf"
DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}

KEYS = ["FeatureType", "EnableUI", "LingerInterval", "ProxyX", "B"]
VALUES = st.text("abc019 /._-#=", max_size=8).map(str.strip)
LINES = st.one_of(
    st.builds("{}={}".format, st.sampled_from(KEYS), VALUES),
    st.builds("  {} = {}".format, st.sampled_from(KEYS), VALUES),
    st.builds('{}="{}"'.format, st.sampled_from(KEYS), VALUES),
    st.builds("#{}={}".format, st.sampled_from(KEYS), VALUES),
    st.builds("# {}".format, st.text(max_size=12).filter(lambda text: "\n" not in text)),
    st.sampled_from(["", "   ", "not a setting", "=", "[section]"]),
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=12), st.sampled_from(["", "\n"]))
WANTED = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)
REMOVED = st.lists(st.sampled_from(KEYS), max_size=2)


def others(text, keys):
    """The lines that belong to none of the keys, as they stand there."""
    parsed = [(line, _gridd_conf.parse_line(line)) for line in text.rstrip("\n").split("\n")]
    return [line for line, meaning in parsed if not (meaning and meaning.key in keys)]


@given(TEXTS, WANTED, REMOVED)
def test_editing_twice_is_editing_once(text, wanted, removed):
    removed = [key for key in removed if key not in wanted]
    once = edit(text, wanted, removed)
    assert edit(once, wanted, removed) == once


@given(TEXTS, WANTED)
def test_a_key_that_is_set_stands_there_once_with_its_value(text, wanted):
    after = edit(text, wanted)
    for key, value in wanted.items():
        assert [line.value for _number, line in _gridd_conf.settings(after) if line.key == key] == [value]


@given(TEXTS, WANTED, REMOVED)
def test_comments_order_and_keys_of_others_stay(text, wanted, removed):
    removed = [key for key in removed if key not in wanted]
    touched = {*wanted, *removed}
    after = edit(text, wanted, removed)
    assert [line for line in others(after, touched) if line] == [line for line in others(text, touched) if line]
    before, values = _gridd_conf.values(text), _gridd_conf.values(after)
    assert {key: before[key] for key in before if key not in touched} == {
        key: values[key] for key in values if key not in touched
    }
    assert not set(removed) & set(values)


@given(TEXTS)
def test_asking_for_what_is_there_changes_nothing(text):
    assume(not _gridd_conf.describe(PATH, text)["duplicates"])
    assert edit(text, _gridd_conf.values(text)) == text


@given(st.text())
def test_no_text_breaks_the_parser(text):
    _gridd_conf.describe(PATH, text)


def test_the_template_s_own_line_is_used():
    after = edit(TEMPLATE, {"FeatureType": "1", "LicenseInterval": "720"})
    assert after == TEMPLATE.replace("FeatureType=0", "FeatureType=1").replace(
        "#LicenseInterval=1440", "LicenseInterval=720"
    )


def test_removing_and_setting_again_gives_the_same_line():
    without = edit(TEMPLATE, {}, ["EnableUI"])
    assert without == TEMPLATE.replace("EnableUI=TRUE", "#EnableUI=TRUE")
    assert edit(without, {"EnableUI": "TRUE"}) == TEMPLATE


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("", {"FeatureType": "1"}, "FeatureType=1\n"),
        ("# end", {"FeatureType": "1"}, "# end\nFeatureType=1\n"),
        ('ServerAddress="a"\n', {"ServerAddress": "b"}, 'ServerAddress="b"\n'),
        ("FeatureType = 2\r\n", {"FeatureType": "1"}, "FeatureType = 1\n"),
        ("FeatureType=2\n#x\nFeatureType=4\n", {"FeatureType": "1"}, "FeatureType=1\n#x\n"),
        ("#FeatureType=2\nFeatureType=4\n", {"FeatureType": "1"}, "#FeatureType=2\nFeatureType=1\n"),
        (
            "# FeatureType=2 is for workstations\n",
            {"FeatureType": "1"},
            "# FeatureType=2 is for workstations\nFeatureType=1\n",
        ),
    ],
)
def test_a_line_is_changed_where_it_stands(before, wanted, after):
    assert edit(before, wanted) == after


def test_the_facts_tell_what_is_wrong_by_line():
    text = "ServerAddress=\nServerPort=443\nFeatureType=3\nFeatureType=1\nProxy=x\nEnableUI=maybe\nwords\n"
    text += "LingerInterval=20000\n"
    facts = _gridd_conf.describe(PATH, text)
    assert facts["values"]["FeatureType"] == "3"
    assert (facts["unknown"], facts["legacy"], facts["duplicates"]) == (["Proxy"], ["ServerPort"], ["FeatureType"])
    assert [row["line"] for row in facts["errors"]] == [3, 6, 7, 8]
    assert "0 to 10080 minutes" in facts["errors"][3]["text"]


def test_a_missing_file_is_a_value():
    facts = _gridd_conf.describe(PATH, None)
    assert (facts["exists"], facts["values"], facts["errors"]) == (False, {}, [])


def run(system, apply=True, **options):
    return _gridd.ensure({**DEFAULTS, **options}, system, apply=apply)


def test_a_missing_file_is_made_from_the_template():
    system = FakeSystem({f"{PATH}.template": TEMPLATE})
    predicted = run(system, apply=False, feature_type="vgpu")
    assert (system.wrote, predicted["changed"], predicted["restart_required"]) == ({}, True, True)
    assert run(system, feature_type="vgpu") == predicted
    assert system.read(PATH) == TEMPLATE.replace("FeatureType=0", "FeatureType=1")
    assert predicted["diff"]["after"] == system.read(PATH)
    assert predicted["steps"][0] == f"Create {PATH}" and "Set FeatureType=1" in predicted["steps"]
    second = run(system, feature_type="1")
    assert (second["changed"], second["restart_required"], second["changed_keys"]) == (False, False, [])


def test_nothing_is_made_of_nothing():
    system = FakeSystem({})
    result = run(system)
    assert (result["changed"], system.wrote, result["diff"]["after"]) == (False, {}, "")


@pytest.mark.parametrize("content", ["FeatureType=1\n", "FeatureType=0\n"])
def test_a_file_that_others_can_write_is_root_s_alone_again(content):
    system = FakeSystem({PATH: content})
    system.modes[PATH] = 0o666
    predicted = run(system, apply=False, feature_type="vgpu")
    assert predicted["steps"][-1] == f"Let root alone write {PATH}" and predicted["changed"]
    assert predicted["restart_required"], "it is newer than the daemon, which the next run would find"
    assert run(system, feature_type="vgpu") == predicted
    assert (system.modes[PATH], system.files[PATH]) == (0o644, "FeatureType=1\n")
    assert run(system, feature_type="vgpu")["changed"] is False


def test_a_group_alone_is_given_back_and_the_file_is_not_written():
    system = FakeSystem({PATH: "FeatureType=1\n"})
    system.owners[PATH] = (0, 65534)
    predicted = run(system, apply=False, feature_type="vgpu")
    assert (predicted["steps"], predicted["restart_required"]) == ([f"Let root alone write {PATH}"], False)
    assert run(system, feature_type="vgpu") == predicted
    assert (system.wrote, system.stat(PATH)) == ({}, (0o644, 0, 0))
    assert not run(system, feature_type="vgpu")["changed"]


def test_a_file_keeps_its_mode_and_a_link_its_place():
    system = FakeSystem({"/srv/gridd.conf": "FeatureType=0\n"}, {PATH: "/srv/gridd.conf"})
    system.modes["/srv/gridd.conf"] = 0o640
    assert run(system, feature_type="vws")["changed_keys"] == ["FeatureType"]
    assert system.wrote == {"/srv/gridd.conf": "FeatureType=2\n"} and system.modes["/srv/gridd.conf"] == 0o640


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"license_interval": 5}, "10 to 10080 minutes"),
        ({"linger_interval": -1}, "0 to 10080"),
        ({"values": {"FeatureType": "3"}}, "none of 0, 1, 2, 4"),
        ({"values": {"EnableUI": "yes"}}, "not TRUE or FALSE"),
        ({"server_address": "192.0.2.1"}, "legacy: true"),
        ({"values": {"ServerPort": "7070"}}, "legacy: true"),
        ({"feature_type": "vws", "values": {"FeatureType": "1"}}, "named twice"),
        ({"feature_type": "vws", "remove": ["FeatureType"]}, "Leave one of them out"),
        ({"remove": ["Feature Type"]}, "no key"),
        ({"values": {"a b": "x"}}, "no key"),
        ({"values": {"Proxy": "a\nFeatureType=0"}}, "signs that no line"),
        ({"values": {"Proxy": None}}, "name it in remove"),
        ({"token_path": "tokens"}, "absolute path"),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(options, part):
    system = FakeSystem({PATH: TEMPLATE})
    with pytest.raises(NvidiaError, match=part):
        run(system, **options)
    assert system.wrote == {}


def test_legacy_keys_are_written_when_they_are_asked_for():
    system = FakeSystem({PATH: TEMPLATE})
    result = run(system, legacy=True, server_address="192.0.2.1", server_port=7070)
    assert result["changed_keys"] == ["ServerAddress", "ServerPort"]
    assert "ServerAddress=192.0.2.1\n" in system.read(PATH)


def test_a_file_that_is_not_utf_8_is_refused_rather_than_damaged():
    system = FakeSystem({PATH: b"# caf\xe9\nFeatureType=0\n"})
    with pytest.raises(NvidiaError, match="not UTF-8 at byte 5"):
        run(system, feature_type="vgpu")


def test_what_nobody_named_is_warned_of_and_left():
    system = FakeSystem({PATH: "EnableUI=1\nProxy=a\nProxy=b\n"})
    result = run(system, feature_type="vgpu")
    assert system.read(PATH) == "EnableUI=1\nProxy=a\nProxy=b\nFeatureType=1\n"
    assert len(result["warnings"]) == 2 and "line 1" in result["warnings"][0]
