# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of modules that work for long: what their log on the host says last is shown meanwhile.

The module is asked first what it would do; most runs end there, with nothing to do. What is to be done runs on the host
by itself, so that a connection that breaks does not end a download, and is looked at every few seconds.
"""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

OURS = ("ansible_job_id", "results_file", "started", "finished", "stdout", "stdout_lines", "stderr", "stderr_lines")
WIDTH = 110
display = Display()


def pauses() -> Iterator[int]:
    """Seconds between two looks: short ones first, so that what is quick is not held up."""
    yield from (1, 1, 2, 3, 5)
    while True:
        yield 10


def shown(text: str, telling: str = "") -> str:
    """The last line of a log that fits the pattern, for people: without its time, and not too long."""
    lines = [" ".join(re.sub(r"^\d{4}-\d\d-\d\d[T ][\d:,.]+\s*", "", line).split()) for line in text.splitlines()]
    last = next((line for line in reversed(lines) if line and re.match(telling, line)), "")
    return last if len(last) <= WIDTH else f"{last[: WIDTH - 1]}…"


class WatchedAction(ActionBase):
    """Base of an action plugin; the module's result has ``changed`` and ``log`` in check mode as well."""

    module = ""
    items = ""  # parameter whose elements may take the time-out each
    patience = 7200  # the module's own time-out, where a task names none
    telling = ""  # pattern of the lines of the log that are for people
    _requires_connection = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self._asked(task_vars))
        finally:
            if self._connection._shell.tmpdir is not None:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _asked(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if self._task.async_val:  # somebody waits for it in their own way
            return self._module(task_vars, wrap_async=True)
        before = self._task.check_mode
        if before:
            return self._module(task_vars)
        self._task.check_mode = True
        try:
            told = self._module(task_vars)
        finally:
            self._task.check_mode = before
        return told if told.get("failed") or not told.get("changed") else self._watched(task_vars, told.get("log"))

    def _module(self, task_vars: dict[str, Any] | None, wrap_async: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=self.module, module_args=self._task.args, task_vars=task_vars, wrap_async=wrap_async
        )
        return answer

    def _watched(self, task_vars: dict[str, Any] | None, log: str | None) -> dict[str, Any]:
        limit = self._limit()
        self._task.async_val = limit
        try:
            job = self._module(task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0
        if job.get("failed") or not job.get("ansible_job_id"):
            return job
        end, last = time.monotonic() + limit, ""
        for pause in pauses():
            time.sleep(pause)
            answer = self._status(job, task_vars)
            if answer and (answer.get("finished") or answer.get("failed")):
                self._status(job, task_vars, "cleanup")
                return {name: value for name, value in answer.items() if name not in OURS}
            last = self._tell(log, last)
            if time.monotonic() > end:
                break
        text = f"{self.module} did not end within {limit} s. Set timeout to more seconds."
        return {"failed": True, "msg": text + (f" Log on the host: {log}." if log else "")}

    def _status(self, job: dict[str, Any], task_vars: dict[str, Any] | None, mode: str = "status") -> dict[str, Any]:
        """How far the job is; {} while the connection is gone, which the job does not mind."""
        folder = posixpath.dirname(str(job["results_file"]))
        arguments = {"jid": job["ansible_job_id"], "mode": mode, "_async_dir": folder}
        try:
            answer: dict[str, Any] = self._execute_module(
                module_name="ansible.legacy.async_status", module_args=arguments, task_vars=task_vars
            )
        except AnsibleConnectionFailure as exc:
            display.vvv(f"{self.module}: the connection is gone, looking again: {exc}")
            return {}
        return answer

    def _tell(self, log: str | None, last: str) -> str:
        """Shows the log's last line when it is another one than before."""
        if not log or self._task.no_log:
            return last
        try:
            told = self._low_level_execute_command(f"tail -n 300 {self._connection._shell.quote(log)}")
        except AnsibleConnectionFailure:
            return last
        text = shown(str(told.get("stdout") or ""), self.telling) if told.get("rc") == 0 else ""
        if text and text != last:
            display.display(f"    … {text}")
        return text or last

    def _limit(self) -> int:
        """Seconds after which even the module's own time-outs must have ended it."""
        argument = self._task.args.get("timeout")
        seconds = int(argument) if str(argument).isdigit() else self.patience
        many = self._task.args.get(self.items) if self.items else None
        return seconds * max(1, len(many) if isinstance(many, list) else 1) + 3600
