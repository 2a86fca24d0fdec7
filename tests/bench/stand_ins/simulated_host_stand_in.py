# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a host at the other end of a connection: it answers modules with what a real host has answered."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: simulated_host_stand_in
short_description: Answers modules as a recorded host did, so that only the controller's work is left to measure
description:
  - For benchmarks. No program is started. A module gets the answer that a real host gave to the same module at the same
    place of its run; a module that was not recorded fails.
author: gpufleet.nvidia contributors (@gpufleet)
extends_documentation_fragment:
  - connection_pipelining
options:
  host:
    description: The name of the simulated host.
    type: str
    vars:
      - name: inventory_hostname
  answers:
    description: The folder with the recorded answers.
    type: str
    required: true
    env:
      - name: SIMULATED_ANSWERS
"""

MODULE = re.compile(rb"module_fqn='[\w.]*\.(\w+)'")


class Connection(ConnectionBase):
    transport = "simulated_host_stand_in"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        named = MODULE.search(in_data or b"")
        if named is None:
            raise AnsibleError(f"A simulated host only answers modules over a pipelined connection, not: {cmd[:200]}")
        folder, host, module = Path(self.get_option("answers")), self.get_option("host"), named[1].decode()
        done = folder / "done" / host
        before = done.read_text(encoding="utf-8").split() if done.exists() else []
        answer = folder / f"{module}.{before.count(module)}"
        if not answer.exists():
            raise AnsibleError(f"The recorded run had no {answer.name}: {host} does not go the way that was recorded.")
        with done.open("a", encoding="utf-8") as stream:
            stream.write(f"{module}\n")
        # What belongs to one host alone in a record of convergence: the digest of what is declared for it.
        own, recorded = folder / "inputs" / host, folder / "inputs.recorded"
        output = answer.read_bytes()
        if own.exists():
            output = output.replace(recorded.read_bytes(), own.read_bytes())
        return 0, output, b""

    def put_file(self, in_path, out_path):
        raise AnsibleError(f"Nothing can be sent to a simulated host: {in_path}")

    def fetch_file(self, in_path, out_path):
        raise AnsibleError(f"Nothing can be fetched from a simulated host: {in_path}")

    def close(self):
        self._connected = False
