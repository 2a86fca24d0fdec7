"""The facts of a licensing daemon, what they cost where there is none, and the cause that they come to."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_facts, _gridd_observe
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_service as service
from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import gather
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_causes import LEGACY
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_files import unit_text
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem
from tests.unit.gridd_tokens import NOW, issue
from tests.unit.test_facts import RUNS_ON
from tests.unit.test_gridd_journal import as_json

FOLDER = "/etc/nvidia/ClientConfigToken"
TRACKING = "A9FEA97B,192.0.2.1,3,1770000000.1,-0.000012345,0.1,0.1,1.0,0.0,0.1,0.01,0.002,64.2,Normal\n"
TOKEN = issue()
UNIT = {
    "Id": "nvidia-gridd.service",
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "SubState": "running",
    "MainPID": "837",
    "ActiveEnterTimestamp": "Mon 2026-02-02 02:00:00 UTC",
}


def shown(*units):
    return "\n\n".join("\n".join(f"{key}={value}" for key, value in unit.items()) for unit in units)


def chrony(state="active"):
    return {"Id": "chrony.service", "LoadState": "loaded", "ActiveState": state}


def guest(messages=("Started (837)",), unit=None, tokens=(TOKEN,), conf="FeatureType=1\n", written=0, **commands):
    """A vGPU guest with a licensing daemon."""
    files = {"/usr/bin/nvidia-gridd": "", "/run/systemd/system/x": "", "/etc/nvidia/gridd.conf": conf}
    files.update({f"{FOLDER}/{number}.tok": data for number, data in enumerate(tokens)})
    answers = {
        ("systemctl", "show"): shown(unit or UNIT, chrony()),
        ("journalctl",): as_json(*messages),
        ("chronyc",): TRACKING,
    }
    answers.update({(name,): text for name, text in commands.items()})
    return FakeSystem(files, commands=answers, times=dict.fromkeys(files, written))


def row(state=0, mode="vgpu", **changes):
    licensing = {"supported": True, "features": [{"state": state, "enabled": 1, "product": "P", "expiry": None}]}
    return {
        "address": "0000:02:00.0",
        "uuid": "GPU-1",
        "name": "NVIDIA A40-8Q",
        "virtualization_mode": mode,
        "licensing": licensing,
        **changes,
    }


def observe(system, rows=None, certain=True, driver="580.95.05", now=NOW):
    return _gridd_facts.observe(system, [row()] if rows is None else rows, certain, driver, lambda: now)


def test_a_machine_without_a_daemon_is_asked_whether_some_files_exist():
    class Counting(FakeSystem):
        asked = ()

        def __getattribute__(self, name):
            if name in ("exists", "read", "read_bytes", "entries", "stat", "run", "which"):
                FakeSystem.__setattr__(self, "asked", (*FakeSystem.__getattribute__(self, "asked"), name))
            return FakeSystem.__getattribute__(self, name)

    system = Counting()
    plain = {
        "address": "0000:02:00.0",
        "virtualization_mode": "passthrough",
        "licensing": {"supported": False, "features": []},
    }
    assert observe(system, [plain]) == _gridd_facts.NOTHING
    assert system.asked.count("exists") == 6 and set(system.asked) <= {"exists", "entries"}, (
        "a fake's exists looks into folders"
    )


@pytest.mark.parametrize(
    ("path", "source"),
    [("/run/chrony/chronyd.pid", "chrony"), ("/run/systemd/timesync/synchronized", "timesyncd"), ("/run/x", None)],
)
def test_before_the_driver_is_there_it_is_known_who_sets_the_clock(path, source):
    assert observe(FakeSystem({path: ""}), [])["clock"]["source"] == source


def test_a_machine_without_a_daemon_loads_nothing_of_it():
    program = (
        "import sys; from ansible_collections.gpufleet.nvidia.plugins.module_utils import _facts;"
        "print(*[name for name in sys.modules if '_gridd' in name])"
    )
    path = next(entry for entry in sys.path if entry.endswith("collections"))
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert told.stdout.split() == ["ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_facts"]


def test_the_answer_of_nothing_has_the_shape_of_the_answer():
    facts = observe(guest())
    assert set(facts) == set(_gridd_facts.NOTHING)
    for part in ("conf", "service", "clock"):
        assert set(facts[part]) == set(_gridd_facts.NOTHING[part])


def test_a_licensed_guest():
    system = guest(("Started (837)", "License acquired successfully. (Info: a, P; Expiry: 2026-2-3 2:40:0 GMT)"))
    expiry = {"status": 2, "at": [2026, 2, 3, 2, 40, 0]}
    facts = observe(
        system, [row(licensing={"supported": True, "features": [{"state": 1, "product": "P", "expiry": expiry}]})]
    )
    assert (facts["present"], facts["state"], facts["cause"]) == (True, "licensed", None)
    assert facts["gpus"][0]["license"] == {
        "state": "licensed",
        "product": "P",
        "expires": "2026-02-03T02:40:00Z",
        "remaining_s": 86400,
        "permanent": False,
        "source": "nvml",
    }
    assert facts["gpus"][0]["profile"] == {"name": "A40-8Q", "series": "Q", "framebuffer_gb": 8}
    assert facts["service"] == {
        "present": True,
        "ours": False,
        "enabled": True,
        "active": True,
        "sub": "running",
        "pid": 837,
        "since": "2026-02-02T02:00:00Z",
    }
    assert facts["clock"] == {
        "synchronized": True,
        "source": "chrony",
        "offset_s": -0.000012345,
        "now": "2026-02-02T02:40:00Z",
    }
    assert facts["tokens"][0]["nodes"] == ["https://dls.example.com:8443"]
    assert (facts["tokens"][0]["valid"], facts["tokens"][0]["expired"], facts["tokens"][0]["owner"]) == (
        True,
        False,
        "root",
    )
    assert facts["last_event"]["code"] == "licensed"
    assert not any(argv[0] == "nvidia-smi" for argv in system.ran), "NVML knows everything"
    json.dumps(facts)


def test_a_passed_through_gpu_with_a_data_centre_driver_needs_no_licence():
    system = guest()
    facts = observe(system, [row(mode="passthrough", licensing={"supported": False, "features": []})])
    assert (facts["state"], facts["cause"], facts["gpus"][0]["license"]) == ("not_applicable", None, None)


def test_a_virtual_gpu_without_a_daemon_is_unlicensed_for_want_of_it():
    facts = observe(FakeSystem())
    assert (facts["present"], facts["state"], facts["cause"]["code"]) == (False, "unlicensed", "service_stopped")


def test_a_driver_that_cannot_be_asked_leaves_the_state_unknown():
    facts = observe(guest(), [], certain=False, driver=None)
    assert (facts["state"], facts["cause"]["code"]) == ("unknown", "unknown")


def test_words_are_asked_for_where_nvml_has_none():
    facts = observe(guest(**{"nvidia-smi": fixture("gridd/smi-535.183.01-restricted.txt")}), [])
    assert (facts["state"], facts["gpus"][0]["profile"]["series"]) == ("unlicensed_restricted", "C")


STOPPED = {**UNIT, "ActiveState": "failed", "SubState": "failed", "MainPID": "0", "ActiveEnterTimestamp": ""}
DOWN = "Failed to acquire license from dls (Info: P - Error: Couldn't connect to server)"


@pytest.mark.parametrize(
    ("case", "code", "part"),
    [
        ({"tokens": ()}, "token_missing", "gridd_token"),
        ({"tokens": (b"<html>",)}, "token_invalid", "0.tok is a web page"),
        (
            {"tokens": (issue(exp=NOW - 60),)},
            "token_expired",
            "It ended 2026-02-02T02:39:00Z; now is 2026-02-02T02:40:00Z",
        ),
        ({"tokens": (issue(nbf=NOW + 7200),)}, "clock_skew", "valid from 2026-02-02T04:40:00Z"),
        ({"tokens": (issue(), issue(jti="b"))}, "token_invalid", "more than one token"),
        ({"unit": {"Id": "nvidia-gridd.service", "LoadState": "not-found"}}, "service_stopped", "does not run"),
        ({"unit": STOPPED}, "service_stopped", "does not run"),
        (
            {"unit": STOPPED, "messages": ("Started (1)", "Failed to setup cloud License Manager: 3")},
            "token_invalid",
            "damaged",
        ),
        ({"messages": ("Started (1)", DOWN)}, "server_unreachable", "does not answer"),
        ({"conf": "ServerPort=443\n"}, "unknown", LEGACY),
        ({"messages": ("Started (1)", DOWN), "written": NOW - 60}, "unknown", "Restart nvidia-gridd"),
        ({"conf": "FeatureType=0\n"}, "feature_mismatch", "never gets a licence"),
        ({"chronyc": TRACKING.replace("Normal", "Not synchronised")}, "clock_skew", "chrony"),
        ({}, "unknown", "journalctl"),
        ({"messages": ("Started (1)", "Something failed")}, "unknown", "journalctl"),
    ],
)
def test_a_guest_without_a_licence_has_a_cause(case, code, part):
    cause = observe(guest(**case))["cause"]
    assert cause["code"] == code and part in cause["hint"]


def test_the_cause_comes_with_the_daemon_s_own_words():
    assert observe(guest(("Started (1)", DOWN)))["cause"]["line"] == DOWN
    missing = "Unable to fetch the client configuration token file"
    assert observe(guest(("Started (1)", missing), tokens=()))["cause"]["line"] == missing


def test_an_old_driver_knows_no_tokens():
    assert observe(guest(), driver="450.51.05")["cause"]["code"] == "driver_too_old"


def test_a_token_s_own_folder_is_looked_into():
    system = guest(conf="ClientConfigTokenPath=/srv/tokens/\n")
    system.files["/srv/tokens/a.tok"] = issue()
    assert [token["path"] for token in observe(system)["tokens"]] == ["/srv/tokens/a.tok"]


@pytest.mark.parametrize(
    ("written", "pending"),
    [(NOW - 60, True), (NOW - 4000, False), (NOW + 60, False), (NOW - 2400, False)],
)
def test_a_file_that_is_younger_than_the_daemon_wants_a_restart(written, pending):
    system = guest()
    system.times = dict.fromkeys(system.files, 0.0)
    system.times["/etc/nvidia/gridd.conf"] = written + 0.5
    assert observe(system)["restart_pending"] is pending


@pytest.mark.parametrize(
    ("units", "commands", "expected"),
    [
        ([], {}, (None, None, None)),
        ([chrony("inactive")], {("timedatectl", "show"): "NTPSynchronized=no\n"}, (False, None, None)),
        ([chrony()], {("timedatectl", "show"): "NTPSynchronized=yes\n"}, (True, "chrony", None)),
        ([chrony()], {("chronyc",): TRACKING.replace("Normal", "Not synchronised")}, (False, "chrony", None)),
        (
            [{"Id": "systemd-timesyncd.service", "ActiveState": "active"}],
            {("timedatectl", "show"): "NTPSynchronized=yes\n"},
            (True, "timesyncd", None),
        ),
    ],
)
def test_the_clock_is_told_by_whoever_sets_it(units, commands, expected):
    found = service.clock(FakeSystem(commands=commands), {unit["Id"]: unit for unit in units})
    assert (found["synchronized"], found["source"], found["offset_s"]) == expected


def test_a_unit_whose_file_was_removed_is_there_no_more():
    assert observe(guest(unit={**UNIT, "UnitFileState": "bad"}))["service"] == service.ABSENT


def test_a_unit_is_the_role_s_own_where_its_file_says_so():
    system = guest()
    for text, ours in ((unit_text(), True), ("[Service]\nExecStart=/usr/bin/nvidia-gridd\n", False)):
        system.files[service.PATH] = text
        assert observe(system)["service"]["ours"] is ours


def test_gpu_facts_has_the_subset():
    facts = gather(FakeSystem(), ["gridd"], **RUNS_ON)
    assert facts["gridd"] == _gridd_facts.NOTHING
    facts = gather(guest(), ["gridd"], **RUNS_ON, clock=lambda: NOW)
    assert (facts["gridd"]["present"], facts["gridd"]["state"]) == (True, "unknown")


def test_a_user_has_a_name():
    system = FakeSystem({"/etc/passwd": "root:x:0:0::/:\nnvidia:x:990:990::/:/bin/sh\n"})
    assert [_gridd_observe.owner(system, uid) for uid in (0, 990, 7, None)] == ["root", "nvidia", "7", None]
