"""What the benchmarks read from runs, and how they judge it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import answers, bench_host, declared, fleet, wire
from tests.bench.__main__ import parser
from tests.bench.first import brought, parse_installed
from tests.bench.fleet import Cost
from tests.bench.over_ssh import clones, layers
from tests.bench.plays import recap
from tests.bench.targets import Targets
from tests.lab.record import Wanted, check

RECAP = """
PLAY RECAP *********
gpu1    : ok=31   changed=0    unreachable=0    failed=0    skipped=24   rescued=0    ignored=0
gpu2    : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
"""
VERBOSE = """
TASK [Read the facts of the GPU stack] ***
Using module file /src/plugins/modules/gpu_facts.py
<127.0.10.2> ESTABLISH SSH CONNECTION FOR USER: root
<127.0.10.2> SSH: EXEC ssh -C -o ControlMaster=auto 127.0.10.2 '/bin/sh -c python3'
<127.0.10.2> (0, b'\\n{"changed": false, "text": "it\\'s \\\\u00e9"}\\n', b'')
Using module file /src/plugins/modules/managed_files.py
<127.0.10.2> (0, b'{"changed": false}', b'a warning')
Using module file /src/plugins/modules/gpu_facts.py
<127.0.10.2> (0, b'{"changed": false, "second": 1}', b'')
"""
SOCKETS = """
ESTAB 0      0          127.0.0.1:56358   127.0.10.2:2222
\t bbr wscale:10,10 bytes_sent:1101304 bytes_acked:1101305 bytes_received:14125 segs_out:92
ESTAB 0      0          127.0.0.1:56360   127.0.10.2:2222
\t bbr wscale:10,10 bytes_acked:7
"""


def test_the_recap_is_read_by_host():
    read = recap(RECAP)
    assert read["gpu1"]["ok"] == 31 and read["gpu1"]["skipped"] == 24
    assert read["gpu2"]["changed"] == 1


def test_answers_are_kept_by_module_in_their_order(tmp_path):
    found = answers.parse(VERBOSE)
    assert [answer.module for answer in found] == ["gpu_facts", "managed_files", "gpu_facts"]
    assert json.loads(found[0].output)["text"] == "it's é"
    answers.save([*found[1:2], *facts_with("5e")], tmp_path)
    assert (tmp_path / "managed_files.0").read_bytes() == b'{"changed": false}'


def facts_with(*digests: str) -> list[answers.Answer]:
    records = {f"role{number}": {"inputs": digest} for number, digest in enumerate(digests)}
    text = json.dumps({"ansible_facts": {"nvidia": {"records": records}}})
    return [answers.Answer("gpu_facts", text.encode())]


def test_the_digest_of_the_recorded_host_is_that_of_its_records():
    assert answers.inputs(facts_with("5e", "5e")) == "5e"
    for half in (facts_with(), facts_with("5e", "6f"), []):
        with pytest.raises(SystemExit, match="has not been converged as a whole"):
            answers.inputs(half)


def stand_in() -> Any:
    path = Path(fleet.STAND_INS, "simulated_host_stand_in.py")
    spec = importlib.util.spec_from_file_location("simulated_host_stand_in", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    """Asks the stand-in for a host named gpu7, which has what is in ``tmp_path``."""
    module = stand_in()
    options = {"answers": str(tmp_path), "host": "gpu7"}
    monkeypatch.setattr(module.ConnectionBase, "exec_command", lambda *words, **more: None)
    connection = object.__new__(module.Connection)
    monkeypatch.setattr(module.Connection, "get_option", lambda _self, name: options[name])
    return lambda name: connection.exec_command("python3", f"    module_fqn='a.b.modules.{name}',".encode())


def test_a_simulated_host_answers_as_the_recorded_one_did(simulated, tmp_path):
    first, second = facts_with("5e5e"), facts_with("5e5e", "5e5e")
    answers.save([*first, *second], tmp_path)
    assert simulated("gpu_facts") == (0, first[0].output, b"")
    (tmp_path / "inputs" / "gpu7").write_text("a0a0")
    assert answers.inputs([answers.Answer("gpu_facts", simulated("gpu_facts")[1])]) == "a0a0"
    assert (tmp_path / "done" / "gpu7").read_text().split() == ["gpu_facts", "gpu_facts"]


def test_a_simulated_host_refuses_what_was_not_recorded(simulated, tmp_path):
    answers.save(facts_with("5e"), tmp_path)
    simulated("gpu_facts")
    for module in ("gpu_facts", "reboot"):
        with pytest.raises(stand_in().AnsibleError, match="does not go the way that was recorded"):
            simulated(module)


def test_bytes_are_read_for_each_connection():
    assert wire.parse(SOCKETS) == [wire.Bytes(1101305, 14125), wire.Bytes(7, 0)]
    assert wire.Bytes(30, 20).since(wire.Bytes(10, 15)) == wire.Bytes(20, 5)


def test_the_digests_that_were_declared_are_read_by_host():
    shown = 'ok: [simulated001] => {\n    "msg": "5e"\n}\nok: [simulated002] => {"msg": "6f"}\n'
    assert declared.parse(shown) == {"simulated001": "5e", "simulated002": "6f"}


positive = st.floats(0.01, 10)


@given(start=positive, once=positive, each=positive)
def test_what_is_paid_once_is_in_no_slope(start, once, each):
    costs = [Cost(n, 0, start + once + each * n, 0) for n in (10, 100, 500)]
    share, slope = fleet.growths(Cost(0, 0, start, 0), costs).values()
    assert slope == pytest.approx(1)
    assert share <= 1.000001


@given(start=positive, each=positive, pairs=positive)
def test_what_grows_with_the_square_of_the_fleet_is_seen(start, each, pairs):
    costs = [Cost(n, 0, start + each * n + pairs * each * n * n, 0) for n in (10, 100, 500)]
    assert min(fleet.growths(Cost(0, 0, start, 0), costs).values()) > 1


def test_large_fleets_are_measured_less_often():
    assert [fleet.rounds_for(hosts, 5) for hosts in (0, 1, 10, 100, 500)] == [5, 5, 5, 3, 1]


def test_fleets_have_the_groups_and_variables_of_the_bench_host():
    declared = {
        "all": {"children": {"a": {"hosts": {"one": {"x": 1}}, "vars": {"y": 2}}, "b": {"hosts": {"one": None}}}}
    }
    made = bench_host.like(declared, {"n1": {"z": 3}, "n2": {}}, {"c": 4})["all"]
    assert made["children"]["a"] == {"hosts": {"n1": {"z": 3}, "n2": {}}, "vars": {"y": 2}}
    assert made["children"]["b"]["hosts"] == {"n1": None, "n2": None}
    assert made["vars"] == {"c": 4}


def test_the_bare_host_gets_every_package_that_came_or_moved():
    before = parse_installed("ii  libc6:amd64 2.36\nii  old:amd64 1\nrc  gone:amd64 3\n")
    after = parse_installed("ii  libc6:amd64 2.36\nii  old:amd64 2\nhi  driver:amd64 550.1-1\n")
    assert brought(before, after) == ["driver:amd64=550.1-1", "old:amd64=2"]


def test_ten_hosts_stand_on_the_disk_of_one():
    original = Wanted("bench13", "trixie", "p40-gtx750ti", None, "127.0.10.2")
    hosts = clones(original, 10)
    assert len({host.name for host in hosts} | {host.address for host in hosts} - {original.address}) == 20
    for host in hosts:
        check(host, [])
    lowest = layers(Path("/hosts/bench13/upper"), Path("/images/trixie-1")) / "tree"
    assert str(lowest) == "/hosts/bench13/upper:/images/trixie-1/tree"


def test_a_missed_target_is_the_exit_status(capsys):
    targets = Targets()
    targets.judge("fast", 2.5, 2.5)
    assert targets.status() == 0
    targets.judge("slow", 3, 2)
    assert targets.status() == 1
    assert "MISSED" in capsys.readouterr().out and targets.missed == ["slow"]


def test_parts_are_chosen_by_name_and_run_in_their_order():
    assert parser().parse_args([]).parts == ["noop", "first", "fleet", "ssh", "mdev"]
    assert parser().parse_args(["--parts", "fleet, noop", "--sizes", "10,1"]).parts == ["noop", "fleet"]
    assert parser().parse_args(["--sizes", "10,1"]).sizes == [1, 10]
    with pytest.raises(SystemExit):
        parser().parse_args(["--parts", "noop,nothing"])
