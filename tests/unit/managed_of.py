"""What the variables of roles make of a host, as Ansible templates them.

A program, because Ansible has one loader of collections for a process: it reads ``[{role, facts, declared, variable}]``
and writes, for each, that variable ``__<role>_<variable>``; where none is named, ``__<role>_managed``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def managed(role: str, facts: dict[str, Any], declared: dict[str, Any], variable: str = "managed") -> Any:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader, folder = DataLoader(), ROOT / "roles" / role
    variables: dict[str, Any] = {}
    loader.set_basedir(str(folder))
    for file in ("defaults/main.yml", "vars/main.yml"):
        variables |= loader.load_from_file(str(folder / file), trusted_as_template=True) or {}
    here = {"inventory_hostname": "gpu7", "groups": {"all": ["gpu7"]}, "ansible_check_mode": False}
    here |= {"role_path": str(folder), "ansible_search_path": [str(folder)], "ansible_facts": {"nvidia": facts}}
    return Templar(loader, {**variables, **declared, **here}).template(variables[f"__{role}_{variable}"])


if __name__ == "__main__":
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(ROOT / "collections")])
    json.dump([managed(**case) for case in json.load(sys.stdin)], sys.stdout)
