"""A machine made of dictionaries: what a core reads and does, without touching anything."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._apart import Begun
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result


class FakeSystem:
    """Stands in for ModuleSystem.

    :param files: path → text or bytes; a folder exists when something lies below it
    :param links: path → target
    :param commands: tuple of argv (or a prefix of it) → Result, text of standard output, or a callable(argv) → either
    :param which: names of programs that exist (those of *commands* exist anyway)
    :param times: path → time of the last change
    :param told: what work in a process of its own gives, in place of doing it: a text, or None where it hangs
    """

    def __init__(self, files=None, links=None, commands=None, which=(), times=None, told=""):
        self.files = dict(files or {})
        self.links = dict(links or {})
        self.commands = dict(commands or {})
        self.times = dict(times or {})
        self.told = told
        self.modes = {}
        self.owners = {}  # path → (user, group); root's otherwise, and what is written
        self._which = {*which, *(argv[0] for argv in self.commands)}
        self.ran, self.wrote, self.removed = [], {}, []

    def run(self, argv, timeout=30, data=None, env=None):
        self.ran.append(list(argv))
        prefixes = [tuple(argv[:length]) for length in range(len(argv), 0, -1)]
        answer = next((self.commands[prefix] for prefix in prefixes if prefix in self.commands), None)
        if callable(answer):
            answer = answer(list(argv))
        if answer is None:
            return Result(127, "", f"{argv[0]}: not found")
        return Result(0, answer, "") if isinstance(answer, str) else answer

    def begin(self, work, seconds):
        return Begun(lambda: self.told)

    def which(self, name):
        return f"/usr/bin/{name}" if name in self._which else None

    def read(self, path):
        data = self.files.get(self.real(path))
        return data.decode("utf-8", "replace") if isinstance(data, bytes) else data

    def read_bytes(self, path, limit=None):
        data = self.files.get(self.real(path))
        data = data.encode() if isinstance(data, str) else data
        return data if data is None or limit is None else data[:limit]

    def entries(self, path):
        below = f"{self.real(path).rstrip('/')}/"
        names = [*self.files, *self.links]
        return sorted({name[len(below) :].split("/")[0] for name in names if name.startswith(below)})

    def exists(self, path):
        return self.real(path) in self.files or path in self.links or bool(self.entries(path))

    def link(self, path):
        return self.links.get(path)

    def real(self, path):
        parts, done = path.split("/"), ""
        for number, part in enumerate(parts):
            done = f"{done}/{part}" if number else part
            if done in self.links:
                target = self.links[done]
                folder = done.rsplit("/", 1)[0]
                while target.startswith("../"):
                    target, folder = target[3:], folder.rsplit("/", 1)[0]
                done = self.real(target if target.startswith("/") else f"{folder}/{target}")
        return done

    def modified(self, path):
        return self.times.get(path, 0.0 if self.exists(path) else None)

    def stat(self, path):
        return (self.modes.get(path, 0o644), *self.owners.get(path, (0, 0))) if self.exists(path) else None

    def folder(self, path, mode=0o755):
        self.modes[path] = mode

    def write(self, path, text, mode=0o644):
        self.files[path] = self.wrote[path] = text
        self.modes[path] = mode
        self.owners.pop(path, None)

    def own(self, path, user, group):
        self.owners[path] = (user, group)

    def remove(self, path):
        self.removed.append(path)
        self.files.pop(path, None)
        self.links.pop(path, None)

    def symlink(self, target, path):
        self.links[path] = target
