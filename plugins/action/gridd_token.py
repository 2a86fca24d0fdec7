# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of module gridd_token: reads a token here, and hands it to the module as a secret."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_token import LIMIT

MODULE = "gpufleet.nvidia.gridd_token"


class ActionModule(ActionBase):
    """A token has some four thousand bytes: it goes along with the module's options, in one round trip."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.pop("transferred", None):
            raise AnsibleActionFail("transferred is set by this plugin, not by playbooks. Leave it out.")
        present = arguments.get("state", "present") == "present"
        if present and arguments.get("src") and not boolean(arguments.get("remote_src", False), strict=False):
            arguments["transferred"] = base64.b64encode(self._token(str(arguments["src"]))).decode("ascii")
        try:
            result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _token(self, src: str) -> bytes:
        try:
            found = self._find_needle("files", src)
            plain = self._loader.get_real_file(found, decrypt=True)
        except AnsibleError as exc:
            raise AnsibleActionFail(
                f"There is no file {src} on the controller that can be read (looked up like the files of a role). Name "
                "its whole path, or set remote_src for a file on the host."
            ) from exc
        try:
            with Path(plain).open("rb") as file:
                return file.read(LIMIT + 1)
        finally:
            self._loader.cleanup_tmp_file(plain)
