# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a long task is doing and for how long, so that nobody watches a silent terminal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Reports every few seconds which task still runs, on which hosts, and for how long
version_added: 0.1.0
description:
  - A driver build or a package download is one task that takes minutes. This callback prints a line every C(interval)
    seconds while such a task runs, and nothing at all for tasks that are quicker than that.
author: gpufleet.nvidia contributors (@gpufleet)
requirements:
  - to be enabled in the configuration (C(callbacks_enabled = gpufleet.nvidia.progress))
options:
  interval:
    description: Seconds between two lines. V(0) turns the lines off.
    type: int
    default: 15
    env:
      - name: GPUFLEET_PROGRESS_INTERVAL
    ini:
      - section: callback_progress
        key: interval
"""

import os
import threading
import time

from ansible.plugins.callback import CallbackBase

SHOWN_HOSTS = 3


def progress_line(task: str, hosts: list[str], seconds: float) -> str:
    """One line for a task that runs since *seconds* on *hosts* (only the first few are named)."""
    named = ", ".join(sorted(hosts)[:SHOWN_HOSTS])
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    minutes, rest = divmod(int(seconds), 60)
    spent = f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"    … {named}{more}: {task}, {spent}"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "gpufleet.nvidia.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._running: dict[str, tuple[str, float]] = {}
        self._stopped = threading.Event()
        self._reporter: threading.Thread | None = None

    def _report(self, interval: int) -> None:
        while not self._stopped.wait(interval):
            now = time.monotonic()
            by_task: dict[str, list[tuple[str, float]]] = {}
            for host, (task, since) in list(self._running.items()):
                if now - since >= interval:
                    by_task.setdefault(task, []).append((host, since))
            for task, waiting in by_task.items():
                oldest = min(since for _host, since in waiting)
                line = progress_line(task, [host for host, _since in waiting], now - oldest)
                # straight to the descriptor: a worker may be forked at any moment, and must not inherit a held lock
                os.write(1, (line + "\n").encode())

    def v2_playbook_on_start(self, playbook):
        interval = self.get_option("interval")
        if interval > 0 and self._reporter is None:
            self._reporter = threading.Thread(target=self._report, args=(interval,), daemon=True)
            self._reporter.start()

    def v2_runner_on_start(self, host, task):
        self._running[host.get_name()] = (task.get_name().strip(), time.monotonic())

    def _done(self, result, **_options):
        self._running.pop(result.host.get_name(), None)

    v2_runner_on_ok = _done
    v2_runner_on_failed = _done
    v2_runner_on_skipped = _done
    v2_runner_on_unreachable = _done

    def v2_playbook_on_stats(self, stats):
        self._stopped.set()
