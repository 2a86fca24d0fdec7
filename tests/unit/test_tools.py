"""The doors' own logic."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.bench.plays import changed, remote_executions
from tools.steps import Running, Step, decisive, run_all

OUTPUT = """
TASK [Read the facts of the GPU stack] ***
<127.0.10.1> SSH: EXEC ssh -C ...
ok: [gpu1]
TASK [nvidia_driver : preflight | Refuse what cannot work] ***
ok: [gpu1]
TASK [nvidia_driver : install | Install, build and hold the driver] ***
<127.0.10.1> SSH: EXEC ssh -C ...
PLAY RECAP
gpu1 : ok=3 changed=2 unreachable=0
"""


def test_remote_executions_are_counted_by_what_was_started_on_the_target():
    assert remote_executions(OUTPUT) == [
        "Read the facts of the GPU stack",
        "nvidia_driver : install | Install, build and hold the driver",
    ]


def test_changes_are_summed_over_hosts():
    assert changed(OUTPUT + "gpu2 : ok=3 changed=1 unreachable=0") == 3


def test_a_failing_step_does_not_hide_those_after_it(capfd):
    python = sys.executable
    steps = [
        Step("breaks", [python, "-c", "print('the reason'); raise SystemExit(3)"]),
        Step("works", [python, "-c", ""]),
    ]
    assert run_all(steps) == 1
    shown = capfd.readouterr().out
    assert "the reason" in shown
    assert "FAILED: breaks" in shown
    assert shown.strip().endswith("1 passed, 1 failed")


def test_steps_run_side_by_side_and_show_nothing_of_those_that_work(capfd, tmp_path):
    meet = "import pathlib, sys, time; me, other = map(pathlib.Path, sys.argv[1:]); me.touch(); print('met')\n"
    wait = "for _n in range(3000): other.exists() or time.sleep(0.01)\nassert other.exists()"
    paths = [str(tmp_path / name) for name in "ab"]
    steps = [Step(me, [sys.executable, "-c", meet + wait, me, other], show=True) for me, other in (paths, paths[::-1])]
    assert run_all(steps, lanes=2) == 0
    shown = capfd.readouterr().out
    assert shown.strip().endswith("2 passed, 0 failed")
    assert f"{paths[0]}: ok after" in shown and "met" in shown


def test_a_step_that_fails_beside_another_shows_all_that_it_wrote(capfd):
    python = sys.executable
    steps = [
        Step("breaks", [python, "-c", "print('the reason'); print('the end'); raise SystemExit(3)"], show=True),
        Step("works", [python, "-c", ""], show=True),
    ]
    assert run_all(steps, lanes=2) == 1
    shown = capfd.readouterr().out
    assert "the reason\nthe end" in shown and "breaks: FAILED after" in shown


def test_why_a_step_failed_is_told_once_more_at_the_end():
    story = [
        "TASK [one] ***",
        "ok: [h]",
        "TASK [two] ***",
        "\x1b[0;31mfatal: [h]: FAILED! => the cause\x1b[0m",
        "PLAY RECAP",
    ]
    told = decisive("\n".join([*story, *["cleaning up"] * 100])).splitlines()
    assert told[:2] == ["TASK [two] ***", "fatal: [h]: FAILED! => the cause"]
    assert decisive("\n".join(map(str, range(100)))).splitlines() == [str(n) for n in range(75, 100)]
    assert decisive("") == ""


def test_an_interruption_ends_what_runs(monkeypatch):
    started = []

    def interrupt(running):
        started.append(running.process)
        raise KeyboardInterrupt

    monkeypatch.setattr(Running, "tell", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_all([Step("long", [sys.executable, "-c", "import time; time.sleep(60)"])])
    assert started[0].returncode == -signal.SIGTERM
