"""The doors' own logic."""

from __future__ import annotations

import sys

from tests.bench.__main__ import changed, remote_executions
from tools.steps import Step, run_all

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
