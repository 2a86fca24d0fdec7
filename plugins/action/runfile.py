# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of module runfile: brings a file from here to the host, and only when the host asks for it."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.hashing import secure_hash

MODULE = "gpufleet.nvidia.runfile"


def is_here(arguments: dict[str, Any], remote: bool) -> bool:
    """Says whether ``src`` is a file on the controller."""
    src = arguments.get("src")
    return bool(src) and not remote and not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", str(src))


class ActionModule(ActionBase):
    """Asks the module first; most runs end there, with nothing to do."""

    module = MODULE
    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.pop("transferred", None):
            raise AnsibleActionFail("transferred is set by this plugin, not by playbooks. Leave it out.")
        try:
            result.update(self._execute_module(module_name=self.module, module_args=arguments, task_vars=task_vars))
            if result.pop("transfer", False):
                result.update(self._with_file(arguments, task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _with_file(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        source = self._local_file(str(arguments["src"]))
        wanted = str(arguments["sha256"]).rpartition(":")[2].lower()
        found = secure_hash(source, sha256)
        if found != wanted:
            raise AnsibleActionFail(
                f"{source} on the controller is not the file that was asked for: its SHA-256 is {found}, and sha256 is "
                f"{wanted}. It was not transferred, and nothing was changed."
            )
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        remote = self._connection._shell.join_path(folder, os.path.basename(source))
        self._transfer_file(source, remote)
        self._fixup_perms2((folder, remote))
        arguments = {**arguments, "transferred": remote}
        answer: dict[str, Any] = self._execute_module(
            module_name=self.module, module_args=arguments, task_vars=task_vars
        )
        return answer

    def _local_file(self, src: str) -> str:
        try:
            found: str = self._find_needle("files", src)
        except AnsibleError as exc:
            raise AnsibleActionFail(
                f"There is no file {src} on the controller (looked up like the files of a role). Name its whole path, "
                "or set remote_src for a file on the host."
            ) from exc
        return found
