"""A ModuleSystem whose machine lies below a folder: real files, real programs, nothing of this machine is touched."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError, Result

BELOW = ("/sys/", "/proc/", "/run/", "/var/lib/", "/boot/", "/lib/modules", "/etc/", "/usr/src", "/usr/lib")


class PowerCut(NvidiaError):
    """What a test raises in the middle of something."""


class RootedSystem(ModuleSystem):
    """
    :param programs: name → callable(system, words, data) → Result, or None (it is not there), in place of a program
    """

    def __init__(self, root, programs=None):
        with patch_module_args({}):
            super().__init__(AnsibleModule({}))
        self.root = str(root)
        self.programs = dict(programs or {})
        self.argv: list[list[str]] = []
        self.said: list[str] = []
        self.environment: dict[str, str] = {}
        self.changes_left: int | None = None

    def here(self, path):
        return f"{self.root}{path}" if path.startswith(BELOW) else path

    def run(self, argv, timeout=30, data=None, env=None):
        self.argv.append(list(argv))
        name = argv[0].rsplit("/", 1)[-1]
        if name in self.programs:
            program = self.programs[name]
            answer = Result(127, "", f"{name}: not found") if program is None else program(self, argv[1:], data)
        else:
            words = [self.here(word) for word in argv]
            answer = super().run(words, timeout, data, {**self.environment, **(env or {})})
        self.said += [answer.out, answer.err]
        return answer

    def which(self, name):
        base = name.rsplit("/", 1)[-1]
        if base in self.programs:
            there = self.programs[base] is not None and ("/" not in name or self.exists(name))
            return (name if "/" in name else f"/usr/bin/{name}") if there else None
        return super().which(self.here(name))

    def read_bytes(self, path, limit=None):
        return super().read_bytes(self.here(path), limit)

    def entries(self, path):
        return super().entries(self.here(path))

    def exists(self, path):
        return super().exists(self.here(path))

    def link(self, path):
        return super().link(self.here(path))

    def modified(self, path):
        return super().modified(self.here(path))

    def stat(self, path):
        """What belongs to the one who runs the test is root's on the machine."""
        found = super().stat(self.here(path))
        ours = {os.geteuid(): 0}, {os.getegid(): 0}
        return found and (found[0], *(known.get(number, number) for known, number in zip(ours, found[1:], strict=True)))

    def own(self, path, user, group):
        self.change()
        super().own(self.here(path), user, group)

    def folder(self, path, mode=0o755):
        self.change()
        super().folder(self.here(path), mode)

    def write(self, path, text, mode=0o644):
        self.change()
        super().write(self.here(path), text, mode)

    def remove(self, path):
        self.change()
        super().remove(self.here(path))

    def change(self):
        """Counts what is changed, where a test wants the power to go after so many changes."""
        if self.changes_left is not None:
            self.changes_left -= 1
            if self.changes_left < 0:
                raise PowerCut("the power went")
