"""Waiting for a licence: it ends when the licence is there, when it cannot come, or when the time is over."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_wait
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.gridd_license import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem
from tests.unit.gridd_tokens import NOW
from tests.unit.test_gridd_facts import DOWN, guest, row

DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
LICENSED, UNLICENSED = [row(state=1)], [row(state=0)]


class Hours:
    """A clock that goes on while somebody sleeps."""

    def __init__(self):
        self.at, self.naps = 0.0, []

    def timer(self):
        return self.at

    def clock(self):
        return NOW + self.at

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.at += seconds


def run(*answers, system=None, apply=True, hours=None, answered=True, **options):
    """Asks with NVML giving one answer after the other, the last one for ever."""
    hours, rest = hours or Hours(), list(answers)

    def nvml():
        return answered, rest.pop(0) if len(rest) > 1 else rest[0]

    params = {**DEFAULTS, **options}
    times = (hours.clock, hours.timer, hours.sleep)
    return _gridd_wait.ensure(params, system or guest(), nvml, "580.95.05", *times, apply=apply)


def ending(seconds):
    at = [2026, 2, 2, 2, 40, 0]
    at[4] += seconds // 60
    return [
        row(
            licensing={"supported": True, "features": [{"state": 1, "product": "P", "expiry": {"status": 2, "at": at}}]}
        )
    ]


def test_a_licence_that_is_there_ends_it_at_once_with_nothing_executed():
    system = guest()
    result = run(LICENSED, system=system)
    assert (result["changed"], result["state"], result["waited_s"], result["cause"]) == (False, "licensed", 0, None)
    assert system.ran == []


def test_a_licence_that_comes_ends_it():
    hours = Hours()
    result = run(UNLICENSED, UNLICENSED, LICENSED, hours=hours)
    assert (result["state"], result["waited_s"], hours.naps) == ("licensed", 4, [2, 2])


def test_the_time_is_over_with_cause_hint_and_the_daemon_s_words():
    hours = Hours()
    with pytest.raises(NvidiaError) as failure:
        run(UNLICENSED, system=guest(("Started (1)", DOWN)), hours=hours, timeout=5)
    details = failure.value.details
    assert (details["cause"], details["line"], details["waited_s"]) == ("server_unreachable", DOWN, 5)
    assert hours.naps == [2, 2, 1]
    for part in ("0000:02:00.0 (unlicensed)", "after 5 s", "server_unreachable", details["hint"], DOWN):
        assert part in str(failure.value)


@pytest.mark.parametrize(
    ("system", "cause"),
    [(guest(tokens=()), "token_missing"), (FakeSystem(), "service_stopped")],
)
def test_what_cannot_come_is_not_waited_for(system, cause):
    hours = Hours()
    with pytest.raises(NvidiaError) as failure:
        run(UNLICENSED, system=system, hours=hours)
    assert (failure.value.details["cause"], hours.naps) == (cause, [])


def test_a_running_daemon_is_no_licence():
    with pytest.raises(NvidiaError):
        run(UNLICENSED, system=guest(("Started (1)", "License acquired successfully. (Info: a)")), timeout=0)


def test_one_gpu_without_a_licence_is_one_too_many():
    rows = [row(state=1), row(state=0, address="0000:03:00.0")]
    with pytest.raises(NvidiaError, match=r"0000:03:00\.0 \(unlicensed\)"):
        run(rows, timeout=0)
    assert run(rows, addresses=["02:00.0"])["state"] == "licensed"
    with pytest.raises(NvidiaError, match=r"shows no GPU at 0000:09:00\.0"):
        run(rows, addresses=["0000:09:00.0"])


def test_a_machine_without_a_need_is_no_failure_unless_it_is_named():
    plain = [row(mode="passthrough", licensing={"supported": False, "features": []})]
    assert run(plain, system=FakeSystem())["state"] == "not_applicable"
    assert run([], system=FakeSystem())["state"] == "not_applicable"
    with pytest.raises(NvidiaError, match="need no licence"):
        run(plain, addresses=["00000000:02:00.0"], timeout=0)


def test_an_nvml_that_cannot_be_asked_is_no_licence():
    with pytest.raises(NvidiaError, match="Nobody can tell"):
        run([], answered=False, timeout=0)


def test_a_lease_that_is_not_renewed_is_noticed():
    assert run(ending(600), min_remaining=600)["remaining_s"] == 600
    with pytest.raises(NvidiaError, match="ends in 600 s, and min_remaining asks for 601 s"):
        run(ending(600), min_remaining=601, timeout=0)
    assert run(ending(600), ending(1200), min_remaining=700)["waited_s"] == 2


def test_a_licence_is_waited_for_to_be_given_back():
    assert run(LICENSED, UNLICENSED, state="unlicensed")["waited_s"] == 2
    both = [row(state=1), row(state=0, address="0000:03:00.0")]
    with pytest.raises(NvidiaError, match="still held"):
        run(both, state="unlicensed", timeout=2)


def test_a_query_never_fails_and_check_mode_looks_once():
    assert run(UNLICENSED, state="queried")["cause"] == "unknown"
    hours = Hours()
    assert run(UNLICENSED, system=guest(tokens=()), apply=False, hours=hours)["cause"] == "token_missing"
    assert hours.naps == []
