"""The report on what has changed on a fleet, and the playbook that makes it, as Ansible runs it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.drift import COLUMNS, drift_report, table
from tests.unit.conftest import ROOT
from tests.unit.test_wants_lookup import play

EDITED = {"kind": "file", "name": "/etc/x", "was": {"sha256": "a"}, "is": {"sha256": "b"}, "text": "/etc/x edited"}
STOPPED = {"kind": "unit", "name": "u.service", "was": {}, "is": {}, "text": "u.service stopped"}


def record(**changes: Any) -> dict[str, Any]:
    told = {"inputs": "aa", "collection": "0.1.0+bb", "converged": "2026-11-21T17:45:00Z", "damaged": None}
    return {**told, "unchecked": [], "drift": [], **changes}


def host(**records: Any) -> dict[str, Any]:
    return {"records": records, "partial": [], "inputs": "aa", "collection": "0.1.0+bb", "error": None}


def test_a_fleet_in_order_is_fine_and_has_a_row_for_each_role():
    report = drift_report({"b": host(cuda=record(), nccl=record()), "a": host(cuda=record())})
    assert (report["ok"], report["failed"], report["never"], report["drift"]) == (True, [], [], [])
    assert [(row["host"], row["role"], row["state"]) for row in report["hosts"]] == [
        ("a", "cuda", "in order"),
        ("b", "cuda", "in order"),
        ("b", "nccl", "in order"),
    ]
    assert report["table"][1].split() == ["a", "cuda", "in", "order", "2026-11-21T17:45:00Z", "-"]


def test_each_thing_that_moved_is_named_with_its_host_and_role():
    report = drift_report({"a": host(cuda=record(), nvidia_driver=record(drift=[EDITED, STOPPED])), "b": host()})
    assert (report["ok"], report["failed"]) == (False, ["a"])
    assert report["drift"] == [
        {"host": "a", "role": "nvidia_driver", **EDITED},
        {"host": "a", "role": "nvidia_driver", **STOPPED},
    ]
    assert report["table"][2].endswith("/etc/x edited") and report["table"][3].strip() == "u.service stopped"


def test_a_host_without_records_is_named_and_fails_only_where_records_are_wanted():
    hosts = {"a": host(), "b": host(cuda=record())}
    report = drift_report(hosts)
    assert (report["ok"], report["never"]) == (True, ["a"])
    assert report["table"][1].endswith("never converged by this collection")
    assert drift_report(hosts, records_required=True)["failed"] == ["a"]


@pytest.mark.parametrize(
    ("told", "state", "says"),
    [
        ({"error": "the host did not answer"}, "unreadable", "the host did not answer"),
        ({}, "unreadable", "no facts could be read"),
        ({"records": None, "error": None}, "unreadable", "no facts could be read"),
        ({"records": {}, "partial": [{"source": "records", "reason": "run as root"}]}, "unreadable", "run as root"),
        (host(cuda=record(damaged="it is not JSON")), "damaged", "The record cannot be trusted: it is not JSON"),
        (host(cuda=record(unchecked=["place"])), "not compared", "not compared: place"),
    ],
)
def test_what_nobody_can_tell_is_no_good_news(told, state, says):
    report = drift_report({"a": told})
    assert report["failed"] == ["a"] and report["never"] == []
    assert report["hosts"][0]["state"] == state and report["table"][1].endswith(says)


def test_a_gap_elsewhere_does_not_hide_the_records():
    report = drift_report({"a": {**host(cuda=record()), "partial": [{"source": "nvml", "reason": "it hangs"}]}})
    assert report["ok"]


@pytest.mark.parametrize(("key", "says"), [("inputs", "other variables"), ("collection", "another version")])
def test_what_was_declared_since_is_told_and_is_no_drift(key, says):
    report = drift_report({"a": {**host(cuda=record()), key: "other"}})
    assert report["ok"] and says in report["table"][1]


texts = st.lists(st.text(max_size=9), max_size=3)
state = st.fixed_dictionaries(
    {"host": st.text(max_size=9), "role": st.none() | st.text(max_size=9), "state": st.text(max_size=9)}
    | {"converged": st.none(), "texts": texts, "since": texts}
)


@given(st.lists(state, max_size=5))
def test_every_row_and_every_thing_has_a_line(rows):
    assert len(table(rows)) == 1 + sum(max(1, len(row["texts"]) + len(row["since"])) for row in rows)
    assert table(rows)[0].split() == list(COLUMNS)


def converge(folder: Path) -> dict[str, Any]:
    """Writes a record of one file below *folder*, by the module itself."""
    lookups = {"inputs": "role_inputs", "collection": "collection_digest"}
    record = {
        "role": "cuda",
        "path": str(folder / "records"),
        "files": [str(folder / "managed.conf")],
        "facts": ["system.distribution"],
        **{key: f"{{{{ lookup('gpufleet.nvidia.{name}') }}}}" for key, name in lookups.items()},
    }
    return {"hosts": "here", "gather_facts": False, "tasks": [{"gpufleet.nvidia.convergence_record": record}]}


@pytest.mark.skipif(os.geteuid() != 0, reason="records are root's")
def test_the_playbook_names_what_moved_and_fails(tmp_path):
    (tmp_path / "managed.conf").write_text("a\n", encoding="utf-8")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-F /dev/null"}
    inventory = {"gpu_hosts": {"hosts": {"here": local, "away": away}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": inventory}}), encoding="utf-8")
    (tmp_path / "converge.yml").write_text(yaml.safe_dump([converge(tmp_path)]), encoding="utf-8")
    folder = ["-e", f"drift_records_path={tmp_path / 'records'}"]
    drift = [str(ROOT / "playbooks" / "drift.yml"), "-i", "hosts.yml", *folder]

    status, output = play(tmp_path, "converge.yml", "-i", "hosts.yml")
    assert status == 0, output
    status, output = play(tmp_path, *drift, "-l", "here")
    assert status == 0 and "in order" in output, output

    (tmp_path / "managed.conf").write_text("b\n", encoding="utf-8")
    status, output = play(tmp_path, *drift)
    assert status != 0
    report = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
    assert (tmp_path / "drift.json").stat().st_mode & 0o777 == 0o600
    assert report["failed"] == ["away", "here"]
    assert [row["text"] for row in report["drift"]] == [f"{tmp_path / 'managed.conf'} edited"]
    assert f"{tmp_path / 'managed.conf'} edited" in output
