# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `vllm_ready`: waits until servers truly serve, and says why one does not as soon as that is certain."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_instances import parse_units, unit_of
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_journal import cause
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_requests import body_of, is_answer, names_in

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "MainPID",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
)
# status: of HTTP, None: nobody answered; text: the body, or why nobody did
Answer = namedtuple("Answer", "status text")
KEY_HINT = "The server wants another key than api_key. Has it been restarted since the key was changed?"
NAME_HINT = "Another server answers there, or served_names has changed since this one was started. Look who listens."
ROUTE_HINT = "The model cannot do this task, or not with these options. Look at task and convert of the instance."


class NotReady(NvidiaError):
    """A server does not serve; ``details`` are further keys of the module's answer."""

    def __init__(self, sentence, details):
        self.details = details
        super().__init__(sentence)


def look(rows, http, timeout):
    """(what is lacking, is it final, hint) of one instance; (None, False, None) when it serves.

    :param rows: the instance's parameters; :param http: callable(method, url, key, body, seconds) → Answer
    """
    url, key = rows["url"].rstrip("/"), rows["api_key"]
    answer = http("GET", f"{url}/health", None, None, timeout)
    if answer.status != 200:
        return f"/health {said(answer)}", False, None
    answer = http("GET", f"{url}/v1/models", key, None, timeout)
    if answer.status == 401:
        return "/v1/models answers 401", True, KEY_HINT
    names, name = names_in(answer.text) if answer.status == 200 else None, rows["served_name"] or rows["name"]
    if names is None:
        return f"/v1/models {said(answer)}", False, None
    if name not in names:
        return f"/v1/models names {', '.join(names) or 'nothing'}, not {name}", True, NAME_HINT
    answer = http("POST", f"{url}{rows['route']}", key, body_of(rows["route"], name), timeout)
    if answer.status == 200 and is_answer(rows["route"], answer.text):
        return None, False, None
    is_final = answer.status is not None and 400 <= answer.status < 500 and answer.status not in (408, 425, 429)
    return f"{rows['route']} {said(answer)}", is_final, ROUTE_HINT


def said(answer):
    if answer.status is None:
        return f"does not answer ({answer.text})"
    return f"answers {answer.status}: {' '.join(answer.text.split())[:300]}"


def units_of(system, names):
    """{name: properties of systemd}; empty for a server that is no unit of ours."""
    argv = ["systemctl", "show", *map(unit_of, names), f"--property={','.join(PROPERTIES)}"]
    shown = parse_units(system.run(argv, timeout=30).out)
    found = {name: shown.get(unit_of(name), {}) for name in names}
    return {name: row if row.get("LoadState") == "loaded" else {} for name, row in found.items()}


def has_died(unit, first):
    """Whether the server has ended since the wait began: systemd tries again, and the next try would end alike."""
    if not unit:
        return False
    ended = unit["ActiveState"] in ("failed", "inactive") or unit["SubState"] == "auto-restart"
    ended = ended or (unit["SubState"] == "start-post" and unit.get("MainPID") == "0")
    return ended or unit.get("NRestarts", "0") != first.get("NRestarts", "0")


def seconds_to_ready(unit):
    """Seconds from the start of the server to its first healthy answer; None where systemd does not know."""
    try:
        began, served = (int(unit[key]) for key in PROPERTIES[-2:])
    except (KeyError, ValueError):
        return None
    return round((served - began) / 1e6, 1) if 0 < began <= served else None


def ensure(params, system, http, clock, sleep, *, apply):
    """The result of the module `vllm_ready`; see its RETURN.

    :param clock: gives seconds that only go on; :param sleep: for seconds
    :raises NotReady: when a server has died, answers wrongly, or the time is over
    """
    rows = {row["name"]: row for row in params["instances"]}
    began, first = clock(), units_of(system, list(rows))
    found: dict = {}
    lacking: dict = {}
    while apply and len(found) < len(rows):
        units = units_of(system, [name for name in rows if name not in found])
        for name, unit in units.items():
            if has_died(unit, first[name]):
                raise died(system, name, lacking.get(name))
            lacking[name], is_final, hint = look(rows[name], http, params["request_timeout"])
            if lacking[name] is None and unit.get("ActiveState", "active") != "active":
                lacking[name] = "it answers, and systemd has not noticed yet"
            if lacking[name] is None:
                found[name] = {"waited_s": round(clock() - began, 1), "ready_s": seconds_to_ready(unit)}
            elif is_final:
                raise refused(name, lacking[name], hint)
        if len(found) == len(rows):
            break
        if clock() - began >= params["timeout"]:
            raise overdue(system, {name: lacking[name] for name in rows if name not in found}, params["timeout"])
        sleep(max(params["interval"], 1))
    return {"changed": False, "instances": found}


def died(system, name, lack):
    told = cause(system, unit_of(name))
    line = f" Its own words: {told['line']}" if told["line"] else ""
    text = f"The server {name} has ended instead of serving. Cause: {told['cause']}. {told['hint']}{line}"
    return NotReady(f"{text} The whole story: journalctl --unit {unit_of(name)}.", {**told, "lacking": lack})


def refused(name, lack, hint):
    return NotReady(f"The server {name} runs and does not serve: {lack}. {hint}", {"lacking": lack, "hint": hint})


def overdue(system, lacking, seconds):
    told = {name: cause(system, unit_of(name)) for name in lacking}
    rows = [f"{name}: {lack}" for name, lack in lacking.items()]
    hints = [f" {name} has complained: {row['line']}" for name, row in told.items() if row["line"]]
    text = f"After {seconds} s these servers do not serve yet: {'; '.join(rows)}.{''.join(hints)}"
    text += " A large model from a slow disk needs more time: raise timeout. Otherwise read their journal."
    return NotReady(text, {"lacking": "; ".join(rows), **next(iter(told.values()))})
