"""Stand-in for the modules of awx.awx: takes what they take, writes down the call, and changes nothing anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

OPTIONS = json.loads((Path(__file__).parents[5] / "options.json").read_text(encoding="utf-8"))


class Recorder(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        module = self._task.action.rpartition(".")[2]
        seen = ArgumentSpecValidator(OPTIONS[module]).validate(dict(self._task.args))
        if seen.error_messages:
            raise AnsibleActionFail("; ".join(seen.error_messages))
        with Path(os.environ["AWX_STAND_IN_CALLS"]).open("a", encoding="utf-8") as calls:
            calls.write(json.dumps([module, dict(self._task.args)]) + "\n")
        return {"changed": False}
