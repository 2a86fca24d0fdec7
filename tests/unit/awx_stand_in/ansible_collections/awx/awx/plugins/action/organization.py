"""Stand-in: records what it was called with."""

from __future__ import annotations

from ansible_collections.awx.awx.plugins.plugin_utils.recorder import Recorder


class ActionModule(Recorder):
    pass
