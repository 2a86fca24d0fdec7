# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `gridd_license`: waits until the GPUs' licences are as they shall be, and says why when they are not."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_license as license_state
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_facts import observe as observe_facts
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

SOUND = ("licensed", "not_applicable")
# Once one of these is the cause, waiting cannot help.
HOPELESS = ("token_missing", "token_expired", "driver_too_old")


class LicenseError(NvidiaError):
    """No licence; ``details`` are further keys of the module's answer."""

    def __init__(self, sentence, details):
        self.details = details
        super().__init__(sentence)


def chosen(gpus, addresses):
    """The GPUs at some PCI addresses; all of them where none is named.

    :raises NvidiaError: when one of them is not there
    """
    wanted = [normal(address) for address in addresses]
    there = {gpu["address"]: gpu for gpu in gpus}
    missing = [address for address in wanted if address not in there]
    if missing:
        seen = ", ".join(sorted(filter(None, there))) or "none"
        raise NvidiaError(f"The driver shows no GPU at {', '.join(missing)}; it shows {seen}. Correct addresses.")
    return [there[address] for address in wanted] if wanted else list(gpus)


def normal(address):
    """A PCI address as the kernel writes it: ``0000:02:00.0``."""
    text = address.strip().lower()
    return (text if text.count(":") == 2 else f"0000:{text}")[-12:]


def remaining(gpus):
    """Seconds until the first licence ends, or None where none does."""
    left = [gpu["license"]["remaining_s"] for gpu in gpus if gpu["license"]]
    return min((seconds for seconds in left if seconds is not None), default=None)


def is_reached(state, gpus, params):
    """Whether the licences are as they shall be."""
    if params["state"] == "queried":
        return True
    if params["state"] == "unlicensed":
        return state != "unknown" and not any((gpu["license"] or {}).get("state") == "licensed" for gpu in gpus)
    if state == "not_applicable":
        return not params["addresses"]
    left = remaining(gpus)
    return state == "licensed" and (left is None or left >= params["min_remaining"])


def glance(rows, params, now):
    """(GPUs, state) by NVML alone; (None, None) where it cannot tell everything."""
    gpus = chosen(license_state.from_rows(rows, now), params["addresses"])
    if any(row.get("licensing") is None for row in rows):
        return None, None
    state = license_state.overall(gpus)
    return (gpus, state) if state in SOUND else (None, None)


def look(system, nvml, driver, params, clock):
    """(facts or None, chosen GPUs, their state) at this moment; the facts only where there is a cause to find."""
    answered, rows = nvml()
    if answered and params["state"] != "queried":
        gpus, state = glance(rows, params, clock())
        if gpus is not None and is_reached(state, gpus, params):
            return None, gpus, state
    facts = observe_facts(system, rows, answered, driver, clock)
    gpus = chosen(facts["gpus"], params["addresses"])
    return facts, gpus, license_state.overall(gpus, certain=facts["state"] != "unknown")


def ensure(params, system, nvml, driver, clock, timer, sleep, *, apply):
    """The result of the module `gridd_license`; see its RETURN.

    :param nvml: callable that gives (whether NVML answers, its rows); :param driver: the loaded version, or None
    :param clock: gives seconds since the epoch; :param timer: gives seconds that only go on; :param sleep: for seconds
    :raises LicenseError: when the time is over
    """
    began = timer()
    while True:
        facts, gpus, state = look(system, nvml, driver, params, clock)
        done, left = not apply or is_reached(state, gpus, params), began + params["timeout"] - timer()
        if done or left <= 0 or is_hopeless(facts, params):
            break
        sleep(min(max(params["interval"], 1), left))
    cause = (facts["cause"] if facts and state not in SOUND else None) or {}
    told = {
        "state": state,
        "gpus": gpus,
        "remaining_s": remaining(gpus),
        "waited_s": int(timer() - began),
        "cause": cause.get("code"),
        "hint": cause.get("hint"),
        "line": cause.get("line"),
    }
    if not done:
        raise LicenseError(sentence(told, params), told)
    return {"changed": False, **told}


def is_hopeless(facts, params):
    """Whether waiting cannot help: nobody is there to ask for a licence, or there is nothing to ask with."""
    if params["state"] != "licensed" or not facts or not facts["cause"]:
        return False
    return not facts["service"]["present"] or facts["cause"]["code"] in HOPELESS


def sentence(told, params):
    """Why the module fails: what was seen, why, and what to do."""
    after = f"after {told['waited_s']} s of waiting"
    if params["state"] == "unlicensed":
        return (
            f"A licence is still held {after} ({told['state']}). Stop nvidia-gridd, which gives it back, and look at "
            "the licence service's leases."
        )
    if told["state"] == "not_applicable":
        named = ", ".join(params["addresses"])
        return f"The GPUs at {named} need no licence, so that they cannot get one. Correct addresses."
    if told["state"] == "licensed":
        return (
            f"The licence ends in {told['remaining_s']} s, and min_remaining asks for {params['min_remaining']} s. It "
            "was not renewed while we waited. A lease is renewed long before its end: look at the licence service."
        )
    where = ", ".join(f"{gpu['address']} ({gpu['license']['state']})" for gpu in told["gpus"] if gpu["license"])
    said = f" nvidia-gridd says: {told['line']}" if told["line"] else ""
    what = f"There is no licence for {where}" if where else "Nobody can tell whether there is a licence"
    return f"{what}, {after}. Cause: {told['cause']}. {told['hint']}{said}"
