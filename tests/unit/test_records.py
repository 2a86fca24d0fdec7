"""Records against the host: what moved is named, one entry for each thing, and nothing else is."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import SUBSETS_OF, pick, subsets_of
from ansible_collections.gpufleet.nvidia.plugins.module_utils._records import FOLDER, Damaged, parse
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, Result
from tests.unit.record_hosts import CONF, MANAGED, PACKAGES, UNITS, RecordHost, drift_of, facts_of, remember

PATH = f"{FOLDER}/nvidia_driver.json"
DAEMON, SERVER = UNITS


def package(name, architecture, status, version):
    return lambda system: system.packages.update({(name, architecture): (status, version)})


def unit(name, **properties):
    return lambda system: system.units.setdefault(name, {}).update(properties)


# name → (what happens to the host, kind, name, text)
MUTATIONS = {
    "edited": (lambda s: s.files.update({CONF: "options nvidia NVreg_x=2\n"}), "file", CONF, f"{CONF} edited"),
    "removed": (lambda s: s.files.pop(CONF), "file", CONF, f"{CONF} removed"),
    "mode": (lambda s: s.modes.update({CONF: 0o666}), "file", CONF, f"{CONF} mode 0644 → 0666"),
    "owner": (lambda s: s.owners.update({CONF: (990, 0)}), "file", CONF, f"{CONF} owner root:root → vllm:root"),
    "nobody": (lambda s: s.owners.update({CONF: (7, 8)}), "file", CONF, f"{CONF} owner root:root → 7:8"),
    "appeared": (
        lambda s: s.files.update({"/etc/absent.conf": ""}),
        "file",
        "/etc/absent.conf",
        "/etc/absent.conf appeared",
    ),
    "linked": (
        lambda s: s.links.update({CONF: "/dev/null"}),
        "file",
        CONF,
        f"{CONF} a file → link to /dev/null",
    ),
    "link": (
        lambda s: s.links.update({"/usr/local/cuda": "/usr/local/cuda-13.0"}),
        "file",
        "/usr/local/cuda",
        "/usr/local/cuda link to /usr/local/cuda-12.6 → link to /usr/local/cuda-13.0",
    ),
    "unlinked": (lambda s: s.links.pop("/usr/local/cuda"), "file", "/usr/local/cuda", "/usr/local/cuda removed"),
    "folder": (lambda s: s.modes.update({"/etc/cuda": 0o777}), "file", "/etc/cuda", "/etc/cuda mode 0644 → 0777"),
    "no folder": (lambda s: s.files.pop("/etc/cuda/here"), "file", "/etc/cuda", "/etc/cuda removed"),
    "upgraded": (
        package("libnvidia-ml1", "amd64", "hold ok installed", "535.261.03-1"),
        "package",
        "libnvidia-ml1",
        "libnvidia-ml1 535.183.01-1 → 535.261.03-1",
    ),
    "foreign": (
        package("libnvidia-ml1", "i386", "install ok installed", "550.1-1"),
        "package",
        "libnvidia-ml1:i386",
        "libnvidia-ml1:i386 535.183.01-1 → 550.1-1",
    ),
    "released": (
        package("libnvidia-ml1", "amd64", "install ok installed", "535.183.01-1"),
        "package",
        "libnvidia-ml1",
        "libnvidia-ml1 no longer held",
    ),
    "held": (
        package("nvidia-smi", "amd64", "hold ok installed", "535.183.01-1"),
        "package",
        "nvidia-smi",
        "nvidia-smi held",
    ),
    "half": (
        package("nvidia-smi", "amd64", "install ok half-configured", "535.183.01-1"),
        "package",
        "nvidia-smi",
        "nvidia-smi half-configured",
    ),
    "purged": (
        lambda s: s.packages.pop(("nvidia-smi", "amd64")),
        "package",
        "nvidia-smi",
        "nvidia-smi removed",
    ),
    "deinstalled": (
        package("nvidia-smi", "amd64", "deinstall ok config-files", "535.183.01-1"),
        "package",
        "nvidia-smi",
        "nvidia-smi removed",
    ),
    "installed": (
        package("nvidia-kernel-support", "amd64", "install ok installed", "550.1"),
        "package",
        "nvidia-kernel-support",
        "nvidia-kernel-support 550.1 installed",
    ),
    "stopped": (unit(DAEMON, ActiveState="inactive"), "unit", DAEMON, "nvidia-persistenced stopped"),
    "failed": (unit(DAEMON, ActiveState="failed"), "unit", DAEMON, "nvidia-persistenced failed"),
    "disabled": (unit(DAEMON, UnitFileState="disabled"), "unit", DAEMON, "nvidia-persistenced disabled"),
    "masked": (
        unit(DAEMON, LoadState="masked", UnitFileState="masked", ActiveState="inactive"),
        "unit",
        DAEMON,
        "nvidia-persistenced stopped, masked",
    ),
    "file gone": (
        unit(DAEMON, UnitFileState="bad", ActiveState="inactive"),
        "unit",
        DAEMON,
        "nvidia-persistenced stopped, its file gone",
    ),
    "started": (unit(SERVER, ActiveState="active"), "unit", SERVER, "vllm@a started"),
    "unit gone": (lambda s: s.units.pop(SERVER), "unit", SERVER, "vllm@a removed"),
    "unit new": (unit("absent.service"), "unit", "absent.service", "absent appeared"),
    "loaded": (
        lambda s: s.files.update({"/sys/module/nvidia/version": "550.1\n"}),
        "fact",
        "driver.loaded.version",
        "driver.loaded.version 535.183.01 → 550.1",
    ),
    "unloaded": (
        lambda s: s.files.pop("/sys/module/nvidia/version"),
        "fact",
        "driver.loaded.version",
        "driver.loaded.version 535.183.01 → null",
    ),
    "kernel": (
        lambda s: s.files.update({"/proc/sys/kernel/osrelease": "6.1.0-20-amd64\n"}),
        "fact",
        "kernel.running",
        "kernel.running 6.1.0-18-amd64 → 6.1.0-20-amd64",
    ),
    "nouveau": (
        lambda s: s.files.update({"/etc/modprobe.d/x.conf": "blacklist nouveau\n"}),
        "fact",
        "nouveau.blacklisted",
        "nouveau.blacklisted false → true",
    ),
}


@pytest.mark.parametrize("change", MUTATIONS)
def test_one_change_is_one_entry_that_names_it(change):
    mutate, kind, name, text = MUTATIONS[change]
    system = RecordHost()
    remember(system)
    assert drift_of(system) == []
    mutate(system)
    (row,) = drift_of(system)
    assert (row["kind"], row["name"], row["text"]) == (kind, name, text)
    assert row["was"] != row["is"]
    remember(system)
    assert drift_of(system) == []


names = {part: st.lists(st.sampled_from(known), unique=True) for part, known in MANAGED.items()}


@given(st.fixed_dictionaries(names), st.sampled_from(sorted(MUTATIONS)))
def test_whatever_is_recorded_is_as_it_was_until_it_changes(managed, change):
    system = RecordHost()
    remember(system, **managed)
    assert drift_of(system) == []
    mutate, kind, name, _text = MUTATIONS[change]
    mutate(system)
    is_managed = any(name == row or name.startswith(f"{row}.") for row in managed[f"{kind}s"])
    assert [row["name"] for row in drift_of(system)] == ([name] if is_managed else [])


@given(st.sets(st.sampled_from(sorted(MUTATIONS)), max_size=6))
def test_what_is_done_several_times_is_named_by_each_thing(changes):
    system = RecordHost()
    remember(system)
    for change in sorted(changes):
        with suppress(KeyError):  # removed twice
            MUTATIONS[change][0](system)
    touched = {MUTATIONS[change][2] for change in changes}
    found = [row["name"] for row in drift_of(system)]
    assert len(found) == len(set(found)) and set(found) <= touched


def test_several_records_ask_systemd_once():
    system = RecordHost()
    for role in ("cuda", "nccl", "persistenced"):
        remember(system, role=role)
    system.ran.clear()
    records = facts_of(system)["records"]
    assert list(records) == ["cuda", "nccl", "persistenced"]
    asked = [argv for argv in system.ran if argv[:2] == ["systemctl", "show"] and "--" in argv]
    assert len(asked) == 1 and sorted(asked[0][-3:]) == sorted(MANAGED["units"])


def test_a_fact_is_compared_only_where_it_was_gathered():
    system = RecordHost()
    remember(system)
    system.files["/proc/sys/kernel/osrelease"] = "6.1.0-20-amd64\n"
    (record,) = facts_of(system, ["records"])["records"].values()
    assert record["drift"] == []
    assert record["unchecked"] == ["driver.loaded.version", "kernel.running", "nouveau"]
    (record,) = facts_of(system)["records"].values()
    assert record["unchecked"] == [] and len(record["drift"]) == 1


def test_a_systemd_that_does_not_answer_vouches_for_nothing():
    def hang(argv):
        raise CommandTimeout(argv, 15)

    system = RecordHost()
    remember(system)
    for answer in (hang, Result(1, "", "Failed to connect to bus")):
        system.commands["systemctl", "show"] = answer
        facts = facts_of(system)
        texts = [row["text"] for row in facts["records"]["nvidia_driver"]["drift"]]
        assert texts == [f"{name} cannot be read" for name in ("absent", "nvidia-persistenced", "vllm@a")]
        remember(system)
        assert len(drift_of(system)) == len(MANAGED["units"]), "what could not be read then is not vouched for now"


def test_a_unit_is_found_by_another_of_its_names():
    system = RecordHost()
    system.units[DAEMON]["Names"] = f"alias.service {DAEMON}"
    remember(system, units=[DAEMON])
    assert drift_of(system) == []


def test_without_systemd_there_are_no_units():
    system = RecordHost()
    del system.files["/run/systemd/system/x"]
    remember(system)
    system.ran.clear()
    assert drift_of(system) == []
    assert not [argv for argv in system.ran if argv[0] == "systemctl"]


def changed(**changes):
    return lambda record: {**record, **changes}


def managed(part, state):
    return lambda record: {**record, "managed": {**record["managed"], part: {"x": state}}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: [], "its format is null"),
        (changed(format=2), "its format is 2, not 1"),
        (changed(inputs=None), "it is not whole"),
        (changed(collection=3), "it is not whole"),
        (changed(role="cuda"), "it is that of the role cuda"),
        (changed(managed=[]), "does not say what is managed"),
        (changed(managed={"files": {}}), "does not say what is managed"),
        (managed("files", []), "its files cannot be understood"),
        (managed("files", {}), "its files cannot be understood"),
        (managed("packages", {"version": "1"}), "its packages cannot be understood"),
        (managed("units", {"active": "1"}), "its units cannot be understood"),
    ],
)
def test_a_record_that_is_not_ours_is_damaged_and_says_why(change, says):
    system = RecordHost()
    remember(system)
    system.files[PATH] = json.dumps(change(json.loads(system.files[PATH])))
    (record,) = facts_of(system)["records"].values()
    assert says in record["damaged"]
    assert record["inputs"] is None and record["drift"] == []


@pytest.mark.parametrize("text", ["", "{", "\x00", "nul", "[" * 99999, '{"format": 1}'])
def test_a_text_that_is_no_record_is_damaged(text):
    system = RecordHost()
    system.files[PATH] = text
    assert facts_of(system)["records"]["nvidia_driver"]["damaged"]


def test_a_record_that_another_could_have_written_is_damaged():
    for path, change in (
        (PATH, lambda s: s.modes.update({PATH: 0o644})),
        (FOLDER, lambda s: s.modes.update({FOLDER: 0o755})),
        (PATH, lambda s: s.owners.update({PATH: (990, 990)})),
    ):
        system = RecordHost()
        remember(system)
        change(system)
        assert f"{path} is not root's alone" in facts_of(system)["records"]["nvidia_driver"]["damaged"]
    system = RecordHost()
    remember(system)
    system.files["/tmp/record"] = system.files.pop(PATH)
    system.links[PATH] = "/tmp/record"
    assert facts_of(system)["records"]["nvidia_driver"]["damaged"] == "it is a link"


def test_a_damaged_record_leaves_the_others():
    system = RecordHost()
    remember(system)
    remember(system, role="cuda")
    system.files[PATH] = "{"
    records = facts_of(system)["records"]
    assert records["nvidia_driver"]["damaged"] == "it is not JSON" and records["cuda"]["damaged"] is None


def test_other_files_in_the_folder_are_no_records():
    system = RecordHost()
    system.files.update({f"{FOLDER}/.gpufleet-x": "", f"{FOLDER}/README": "", f"{FOLDER}/Up.json": "{"})
    assert facts_of(system)["records"] == {}


def test_without_root_there_is_a_gap_with_its_reason_and_no_failure():
    class Closed(RecordHost):
        def entries(self, path):
            return [] if path == FOLDER else super().entries(path)

        def exists(self, path):
            return path == FOLDER or super().exists(path)

    facts = facts_of(Closed(), user_id=1000)
    assert facts["records"] == {}
    (reason,) = gaps(facts)
    assert "become: true" in reason
    assert gaps(facts_of(Closed())) == [], "an empty folder, for root"
    assert gaps(facts_of(RecordHost(), user_id=1000)) == [], "no folder"


def gaps(facts):
    return [row["reason"] for row in facts["partial"] if row["source"] == "records"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=5,
)


@given(st.text() | values.map(json.dumps))
def test_no_text_breaks_the_parser(text):
    with pytest.raises(Damaged):
        parse(text, "cuda")


states = st.dictionaries(st.text(max_size=5), values, max_size=2)
parts = st.fixed_dictionaries(dict.fromkeys(("files", "packages", "units", "facts"), states))


@given(parts)
def test_a_record_of_anything_is_damaged_or_compared(was):
    system = RecordHost()
    remember(system)
    system.files[PATH] = json.dumps({**json.loads(system.files[PATH]), "managed": was})
    (record,) = facts_of(system)["records"].values()
    json.dumps(record)
    assert record["damaged"] or all(row["text"] for row in record["drift"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("a", {"b": 1}),
        ("a.c", None),
        ("a.b.c", None),
        ("rows.*.id", [1, 2]),
        ("keys.*.id", {"x.y": 3, "z": None}),
        ("rows.*", [{"id": 1}, {"id": 2}]),
        ("none.*.id", None),
        ("absent.*", None),
    ],
)
def test_a_path_gives_the_value_that_is_there(path, value):
    facts = {"a": {"b": 1}, "rows": [{"id": 1}, {"id": 2}], "keys": {"x.y": {"id": 3}, "z": {}}, "none": None}
    assert pick(facts, path) == value


def test_every_fact_has_its_subsets():
    facts = facts_of(RecordHost())
    assert set(SUBSETS_OF) == set(facts) - {"gathered", "partial", "records"}
    assert set(subsets_of(SUBSETS_OF)) == set(facts["gathered"]) - {"records"}
    assert ("libnvidia-ml1", "i386") in PACKAGES
