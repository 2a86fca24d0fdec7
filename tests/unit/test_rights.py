"""Whose a file is: root's alone, or somebody may do with it what only root shall."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import is_open, is_readable

TABLE = [
    (None, False, False),
    ((0o600, 0, 0), False, False),
    ((0o644, 0, 0), False, True),
    ((0o640, 0, 0), False, True),
    ((0o664, 0, 0), True, True),
    ((0o600, 7, 0), True, True),
    ((0o600, 0, 7), True, True),
    ((0o755, 0, 65534), True, True),
]


@pytest.mark.parametrize(("rights", "opened", "read"), TABLE)
def test_user_group_and_mode_all_count(rights, opened, read):
    assert (is_open(rights), is_readable(rights)) == (opened, read)
