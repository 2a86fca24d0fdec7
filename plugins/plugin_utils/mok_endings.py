# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a boot through MokManager ends when no key of ours ended it: the operating system comes, or nothing more does."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import State, Verdict

STAGE = "Stage the request again (module mok) before the next try."
WATCHDOG = "If MokManager is still open, the firmware's watchdog restarts most machines after five minutes."
LOOK = "Look at the host's console; mok_facts says what became of the request once the host is back."


class Seen(NamedTuple):
    """``screens``: MokManager's screens so far; ``restarted``: the machine did; ``anything``: the line spoke."""

    screens: tuple[str, ...]
    restarted: bool
    anything: bool


def ended(state: State, seen: Seen, sign: str) -> Verdict | None:
    """Judges a sign of the boot (``restart``, ``grub``, ``linux``, ``login``); None: it is not over yet."""
    if state.left:
        return state.verdict
    if sign == "restart":
        if set(seen.screens) - {"countdown"}:
            says = "The machine restarted while MokManager was open, by no key of ours."
            return Verdict("surprise", f"{says} {LOOK}")
        return None
    if sign == "login" and not (seen.restarted or seen.screens):
        return None
    if not seen.screens:
        return Verdict(
            "not_seen",
            "The host booted without MokManager. Either no request was staged (mok_facts: pending), or the firmware "
            "boots something else than shim first; the request is kept in that case.",
        )
    if set(seen.screens) == {"countdown"}:
        return Verdict(
            "dismissed",
            "MokManager's countdown ended though a key was pressed, or too late for one: the host booted and the "
            f"request is gone. Does the console take keys, and from one program only? {STAGE}",
        )
    return Verdict("surprise", f"MokManager was left by no key of ours, and the host boots. {LOOK}")


def silent(seen: Seen) -> Verdict:
    """Judges that MokManager did not come in time."""
    if not seen.anything:
        says = "Nothing came over the console. Is it the line that firmware and kernel talk on (console redirection)?"
    elif not seen.restarted:
        says = "The console spoke, but no restart and no MokManager was seen in time."
    else:
        says = "The machine restarted, but neither MokManager nor an operating system was seen in time."
    return Verdict("not_seen", f"{says} Nothing was pressed. first_screen_timeout sets how long it is waited for.")


def stuck(state: State, seen: Seen) -> Verdict:
    """Judges a console that shows nothing known, or does not answer any more."""
    if state.verdict and state.verdict.outcome != "surprise":
        return Verdict(
            state.verdict.outcome, f"{state.verdict.says} But MokManager did not let go of the console. {LOOK}"
        )
    says = f"After screen {seen.screens[-1]} came nothing that is known here (transcript holds what did)."
    return Verdict("surprise", f"{says} Nothing more was pressed. {WATCHDOG} {LOOK}")


def lost(state: State, seen: Seen, why: str) -> Verdict:
    """Judges a line that is gone."""
    if state.left and state.verdict:
        return state.verdict
    if not seen.screens:
        return Verdict("not_seen", f"{why} MokManager had not been seen by then, and nothing was pressed.")
    return Verdict("surprise", f"{why} The last screen was {seen.screens[-1]}. Nothing more was pressed. {LOOK}")
