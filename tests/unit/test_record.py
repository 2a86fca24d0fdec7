"""The module convergence_record: what it keeps, and when it has something to do."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._records import FOLDER
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.record_hosts import CONF, MANAGED, RecordHost, drift_of, kept, remember

PATH = f"{FOLDER}/nvidia_driver.json"


def test_what_is_managed_is_kept_as_it_is():
    system = RecordHost()
    assert remember(system)["changed"]
    record = kept(system)
    assert record["converged"] == "1970-01-01T00:00:00Z"
    assert {key: record[key] for key in ("format", "role", "inputs", "collection")} == {
        "format": 1,
        "role": "nvidia_driver",
        "inputs": "aa",
        "collection": "0.1.0+bb",
    }
    files = record["managed"]["files"]
    assert set(files[CONF]) == {"sha256", "mode", "owner"} and files[CONF]["owner"] == "root:root"
    assert files["/etc/cuda"]["folder"] is True
    assert (files["/usr/local/cuda"], files["/etc/absent.conf"]) == ({"link": "/usr/local/cuda-12.6"}, None)
    assert record["managed"]["packages"] == {
        "libnvidia-ml1": {"version": "535.183.01-1", "held": True},
        "libnvidia-ml1:i386": {"version": "535.183.01-1", "held": False},
        "nvidia-smi": {"version": "535.183.01-1", "held": False},
        "firmware-nvidia": {"version": "2025", "held": False},
        "nvidia-kernel-support": None,
    }
    assert record["managed"]["units"]["nvidia-persistenced.service"] == {"enabled": "enabled", "active": "active"}
    assert record["managed"]["units"]["absent.service"] is None
    assert record["managed"]["facts"]["driver.loaded.version"] == "535.183.01"
    assert set(record["managed"]["facts"]) == set(MANAGED["facts"])


def test_no_content_of_a_file_is_kept():
    system = RecordHost()
    result = remember(system)
    assert "NVreg_x" not in system.files[PATH] + str(result)


def test_a_second_run_is_idle_and_leaves_the_time():
    system = RecordHost()
    remember(system)
    assert not remember(system, now=99.0)["changed"]
    assert kept(system)["converged"] == "1970-01-01T00:00:00Z"


def test_the_record_and_its_folder_are_root_s_alone():
    system = RecordHost()
    remember(system)
    assert (system.modes[PATH], system.modes[FOLDER]) == (0o600, 0o700)


@pytest.mark.parametrize("path", [PATH, FOLDER])
def test_a_record_that_others_can_read_is_written_anew(path):
    system = RecordHost()
    remember(system)
    system.modes[path] = 0o755
    assert remember(system)["changed"]
    assert not remember(system)["changed"]


@pytest.mark.parametrize("changes", [{"inputs": "ab"}, {"collection": "0.2.0+bb"}, {"files": []}, {"facts": []}])
def test_other_inputs_are_another_record(changes):
    system = RecordHost()
    remember(system)
    result = remember(system, now=5.0, **changes)
    assert result["changed"] and result["diff"]["before"] != result["diff"]["after"]
    assert kept(system)["converged"] == "1970-01-01T00:00:05Z"


def test_check_mode_predicts_the_same_and_writes_nothing():
    system = RecordHost()
    before = copy.deepcopy((system.files, system.modes))
    predicted = remember(system, apply=False)
    assert (system.files, system.modes) == before
    assert predicted == remember(system)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}'])
def test_a_damaged_record_is_replaced(text):
    system = RecordHost()
    system.files[PATH] = text
    assert remember(system)["changed"]
    assert drift_of(system) == []


def test_a_record_is_forgotten_once():
    system = RecordHost()
    remember(system)
    assert remember(system, apply=False, state="absent")["changed"] and PATH in system.files
    assert remember(system, state="absent")["changed"] and PATH not in system.files
    assert not remember(system, state="absent")["changed"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"role": "../x"}, "not the name of a role"),
        ({"files": ["etc/x"]}, "etc/x, which is no absolute path"),
        ({"facts": ["temperature"]}, "temperature, which are no facts"),
        ({"inputs": None}, "needs inputs and collection"),
        ({"collection": ""}, "needs inputs and collection"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(changes, says):
    with pytest.raises(NvidiaError, match=says):
        remember(RecordHost(), **changes)


def test_names_given_twice_count_once():
    system = RecordHost()
    remember(system, packages=["nvidia-smi", "nvidia-smi"])
    assert list(kept(system)["managed"]["packages"]) == ["nvidia-smi"]
