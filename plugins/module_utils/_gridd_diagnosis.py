# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what is known into one cause: the token and the clock first, then the daemon's own words."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_causes import HINTS, LEGACY, RESTART
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_feature import misfit
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_journal import cause as said_cause

FIRST_BRANCH = 470  # vGPU 13, the first that takes client configuration tokens
SOUND = ("licensed", "not_applicable")


def diagnose(facts, events, driver):
    """``{code, hint, line}`` of why there is no licence; None where there is one, or none is needed.

    :param facts: the subset's facts but ``cause``; :param events: of the journal; :param driver: the loaded version
    """
    if facts["state"] in SOUND:
        return None
    said = said_cause(events)
    for found in (_unit(facts), _old(driver), _token(facts), _stopped(facts, said), _restart(facts)):
        if found:
            code, hint = found
            return _told(code, hint, said.text if said and said.code == code else None)
    if said and said.code != "unknown":
        return _told(said.code, said.hint, said.text)
    line = said.text if said else _last_line(facts)
    guess = _legacy(facts) or _feature(facts) or _clock(facts) or _many(facts)
    code, hint = guess or ("unknown", said.hint if said else None)
    return _told(code, hint, line)


def _told(code, hint, line):
    return {"code": code, "hint": hint or HINTS[code], "line": line}


def _last_line(facts):
    return facts["last_event"]["text"] if facts["last_event"] else None


def _unit(facts):
    return None if facts["service"]["present"] else ("service_stopped", None)


def _old(driver):
    branch = re.match(r"\d+", driver or "")
    return ("driver_too_old", None) if branch and int(branch[0]) < FIRST_BRANCH else None


def _token(facts):
    """What the token's own claims tell, by this host's clock."""
    tokens, now = facts["tokens"], facts["clock"]["now"]
    if not tokens:
        return None if facts["conf"]["legacy"] else ("token_missing", None)
    sound = [row for row in tokens if row["valid"]]
    if not sound:
        return "token_invalid", f"{tokens[0]['reason']} Put a sound one in place with gridd_token."
    if all(row["expired"] for row in sound):
        unsure = " The clock is not synchronised." if facts["clock"]["synchronized"] is False else ""
        return "token_expired", f"{HINTS['token_expired']} It ended {sound[0]['expires']}; now is {now}.{unsure}"
    begins = min(max(row["not_before"], row["issued"]) for row in sound)
    if begins > (now or begins):  # ISO 8601 in one zone: the later one is the greater text
        return "clock_skew", f"{HINTS['clock_skew']} The token is valid from {begins}; here it is {now}."
    return None


def _stopped(facts, said):
    """A daemon that does not run: it ends by itself over a token that it cannot read, and says so."""
    if facts["service"]["active"] or (said and said.code == "token_invalid"):
        return None
    return "service_stopped", None


def _restart(facts):
    """A daemon that does not know what was written since; its words are of the time before."""
    return ("unknown", RESTART) if facts["restart_pending"] else None


def _legacy(facts):
    return ("unknown", LEGACY) if facts["conf"]["legacy"] and facts["tokens"] else None


def _feature(facts):
    text = facts["conf"]["values"].get("FeatureType", "")
    feature = int(text) if re.fullmatch(r"[0-9]{1,3}", text) else None
    for gpu in facts["gpus"]:
        if gpu["license"] and gpu["license"]["state"] != "licensed":
            wrong = misfit(feature, gpu["virtualization_mode"], (gpu["profile"] or {}).get("series"))
            if wrong:
                return "feature_mismatch", wrong
    return None


def _clock(facts):
    return ("clock_skew", None) if facts["clock"]["synchronized"] is False else None


def _many(facts):
    if len(facts["tokens"]) < 2:
        return None
    return "token_invalid", "There is more than one token, and the daemon may read the wrong one. Leave one of them."
