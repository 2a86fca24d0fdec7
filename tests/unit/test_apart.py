"""Work in a process of its own: what it gives, and that a hang costs its seconds alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apart as apart

# A fork of this process would have the threads of whoever runs the tests.
PROGRAM = f"""
import os, sys, time
sys.path.insert(0, {str(Path(apart.__file__).parent)!r})
import _apart
def work():
    {{work}}
begun = _apart.begin(work, {{seconds}})
{{meanwhile}}
answer = begun.result()
print(answer if answer is None or len(answer) < 99 else len(answer))
"""


def do(work, seconds=20, meanwhile="pass"):
    program = PROGRAM.format(work=work, seconds=seconds, meanwhile=meanwhile)
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        ("return 'täxt'", "täxt"),
        ("return ''", ""),
        ("raise ValueError('no text')", ""),
        ("return 1", ""),
        ("os.kill(os.getpid(), 11)", ""),
        ("sys.exit(3)", ""),
        ("print('loud'); os.write(2, b'louder'); return sys.stdin.read() + 'quiet'", "quiet"),
        ("return 'x' * 300000", "300000"),
    ],
)
def test_the_answer_is_the_text_or_nothing_where_its_process_died(work, answer):
    assert do(work) == answer


def test_a_hang_is_left_when_time_is_over():
    since = time.monotonic()
    assert do("time.sleep(300)", seconds=0.5) == "None"
    assert time.monotonic() - since < 10


def test_the_work_is_done_while_nobody_waits():
    asked = "time.sleep(1); print(time.monotonic())"
    asked_at, done_at = do("return str(time.monotonic())", meanwhile=asked).split()
    assert float(done_at) < float(asked_at)


def test_an_answer_in_time_counts_however_late_it_is_asked_for():
    assert do("return 'x' * 300000", seconds=0.2, meanwhile="time.sleep(0.6)") == "300000"


def test_nobody_waits_for_a_process_that_hangs():
    """Not even those who read what the module prints: ssh goes on when every holder of its streams has ended."""
    reader, writer = os.pipe()
    program = PROGRAM.format(work="time.sleep(20)", seconds=0.1, meanwhile="_apart.os.kill = lambda *_about: None")
    with os.fdopen(reader) as said, subprocess.Popen([sys.executable, "-S", "-c", program], stdout=writer) as module:
        os.close(writer)
        since = time.monotonic()
        assert said.read() == "None\n"
        assert module.wait() == 0
        assert time.monotonic() - since < 10
