# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives MokManager from the controller over a host's console. Its options are documented in modules/mok_console.py."""

from __future__ import annotations

import importlib
import secrets as random
import sys
import time
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gpufleet.nvidia.plugins.modules.mok_console import ARGUMENT_SPEC
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_arguments import (
    console_of,
    expected_of,
    password_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_host import Host, HostError
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_line import Line, LineError, named, open_line, prove
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import DONE, ENTRY, Wish
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_session import Patience, Session
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_terminal import MISSING
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_transcript import masked, tail

KEPT_LINES = 60
display = Display()


def need_packages() -> None:
    """Fails with the command that installs what is missing on the controller."""
    for name in ("pexpect", "pyte"):
        try:
            importlib.import_module(name)
        except ImportError as exc:
            raise AnsibleActionFail(MISSING.format(name=name, python=sys.executable)) from exc


def secrets_of(arguments: dict[str, Any]) -> list[str]:
    """Gives what no text may hold: the password, and what the console's command gets in its environment."""
    return [arguments["password"], *map(str, arguments["console"].get("environment", {}).values())]


def uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


class ActionModule(ActionBase):
    """Opens the line first, reboots the host then, and waits for it in the end."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._name = str((task_vars or {}).get("inventory_hostname", "the host"))
        arguments = self._arguments()
        wish = Wish(arguments["request"], arguments["expected_keys"])
        console, hidden = arguments["console"], secrets_of(arguments)
        if self._task.check_mode:
            first = f"reboot {self._name}" if arguments["reboot"] else f"wait for {self._name} to reboot"
            return {
                **result,
                "changed": True,
                "msg": f"Would open {uncapitalised(named(console))}, {first} and choose {ENTRY[wish.request]}.",
            }
        need_packages()
        started = time.monotonic()
        try:
            line = open_line(console)
            try:
                report = self._drive(line, wish, arguments)
            finally:
                line.close()
        except (HostError, LineError) as exc:
            raise AnsibleActionFail(masked(str(exc), hidden)) from exc
        return {**result, **report, "seconds": round(time.monotonic() - started, 1)}

    def _arguments(self) -> dict[str, Any]:
        given = str(self._task.args.get("password") or "")
        try:
            _result, arguments = self.validate_argument_spec(ARGUMENT_SPEC)
            return {
                **arguments,
                "console": console_of(arguments["console"]),
                "password": password_of(arguments["password"]),
                "expected_keys": expected_of(arguments["expected_keys"]),
            }
        except (AnsibleError, ValueError) as exc:
            raise AnsibleActionFail(masked(str(exc), [given])) from None

    def _drive(self, line: Line, wish: Wish, arguments: dict[str, Any]) -> dict[str, Any]:
        host, before = Host(self._low_level_execute_command, self._forget), ""
        if arguments["reboot"]:
            before = self._reboot(line, host, check=arguments["check_line"])
        session = Session(
            line, wish, arguments["password"], self._say, Patience(first=arguments["first_screen_timeout"])
        )
        verdict = session.run()
        line.close()
        self._say(f"{verdict.outcome}: {verdict.says}")
        back = host.wait(before, arguments["timeout"]) if arguments["reboot"] else ""
        says = verdict.says
        if arguments["reboot"] and not back:
            says += f" {self._name} did not come back within {arguments['timeout']} s (timeout). Look at its console."
        hidden = secrets_of(arguments)
        return {
            "changed": arguments["reboot"] or verdict.outcome in DONE.values(),
            "failed": verdict.outcome != DONE[wish.request] or bool(arguments["reboot"] and not back),
            "msg": masked(says, hidden),
            "outcome": verdict.outcome,
            "screens": [{**one, "shows": masked(one["shows"], hidden)} for one in session.screens],
            "transcript": tail(session.text, hidden, KEPT_LINES),
            "rebooted": bool(back),
        }

    def _reboot(self, line: Line, host: Host, check: bool) -> str:
        """Gives the boot id before it; nothing is rebooted when the line is not the host's."""
        before = host.boot_id()
        mark = f"mok_console {random.token_hex(8)}" if check else ""
        if mark:
            host.speak(f"'{mark}'")
        prove(line, mark)
        self._say(f"{uncapitalised(line.name)} {'shows what the host writes on it' if mark else 'is there'}")
        host.reboot()
        self._say("rebooting")
        return before

    def _forget(self) -> None:
        with suppress(AnsibleError, AttributeError):  # a connection without reset opens itself again
            self._connection.reset()

    def _say(self, what: str) -> None:
        display.display(f"    … {self._name}: {what}")
