"""A host on which environments can be made; its uv, venv and pip are stand-ins made of dictionaries."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, Result
from tests.unit.fake_system import FakeSystem

PARAMS: dict = {
    "version": None, "package": "vllm", "prefix": "/opt/vllm", "python": None, "installer": "auto", "index_url": None,
    "extra_index_urls": [], "constraints": [], "wheelhouse": None, "offline": False, "extra_packages": [],
    "absent_packages": [], "provides": {}, "imports": [], "nvitop": False, "existing": None, "use": None,
    "activate": True, "state": "present", "keep": 1, "timeout": 7200,
}  # fmt: skip


def breaks(why):
    raise why


def params(**given):
    assert set(given) <= set(PARAMS)
    return {**PARAMS, **given}


class EnvironmentHost(FakeSystem):
    """
    :param pythons: {name: (minor release, can make environments)}
    :param uv: whether uv is there
    :param index: {package: [releases]}; what else is asked for is not found
    :param fails: {word of an argv, or a long part of one: Result, or an exception to raise}
    """

    def __init__(self, files=None, pythons=None, uv=False, index=None, fails=None, links=None):
        super().__init__(files, links)
        self.pythons = {"python3": (11, True), "python3.11": (11, True)} if pythons is None else pythons
        self._which |= {*self.pythons, *(["uv"] if uv else [])}
        self.index = {"vllm": ["0.19.1", "0.20.2"], "modelscope": ["1.40.2"], "nvitop": ["1.7.2"], **(index or {})}
        self.fails = fails or {}
        self.environments = []
        self.clock = 0.0
        self.owners = {}

    def write(self, path, text, mode=0o644):
        super().write(path, text, mode)
        self.clock += 1
        self.times[path] = self.clock

    def run(self, argv, timeout=30, data=None, env=None):
        self.ran.append(list(argv))
        self.environments.append(dict(env or {}))
        for word, end in self.fails.items():
            if word in argv or any(word in part for part in argv if len(word) > 8):
                if isinstance(end, Exception):
                    breaks(end)
                return end
        program = argv[0].rsplit("/", 1)[-1]
        if program in ("rm", "mv", "chmod", "chown"):
            return getattr(self, program)(argv)
        if argv[0] in self.pythons and "-c" in argv:
            minor, able = self.pythons[argv[0]]
            told = {"version": [3, minor], "path": f"/usr/bin/python3.{minor}", "venv": able}
            return Result(0, json.dumps(told) + "\n", "")
        if "venv" in argv[:3]:
            return self.venv(argv[-1])
        if "install" in argv[:4]:
            return self.install(argv)
        if "uninstall" in argv[:4]:
            names = [word for word in argv[argv.index("uninstall") + 1 :] if word in self.index]
            for name in names:
                self.drop(f"{self.site(self.prefix_of(argv))}/{name}-{self.index[name][-1]}.dist-info")
            return Result(0, "", "")
        if "-c" in argv:
            return Result(0, "".join(f"{name} 1\n" for name in argv[3:]), "")
        return Result(0, "0.0.0\n", "") if "--version" in argv else Result(127, "", "")

    @staticmethod
    def prefix_of(argv):
        python = argv[argv.index("--python") + 1] if "--python" in argv else argv[0]
        return python.rsplit("/bin/", 1)[0]

    @staticmethod
    def site(path):
        return f"{path}/lib/python3.11/site-packages"

    def venv(self, path):
        self.links[f"{path}/bin/python"] = "/usr/bin/python3.11"
        self.files["/usr/bin/python3.11"] = "the interpreter"
        self.files[f"{path}/pyvenv.cfg"] = ""
        return Result(0, "", "")

    def install(self, argv):
        takes_value = {"--python", "--log", "--find-links", "--constraint", "--progress-bar"}
        words, wishes = argv[argv.index("install") + 1 :], []
        while words:
            word = words.pop(0)
            if word in takes_value:
                words.pop(0)
            elif not word.startswith("-"):
                wishes.append(word)
        for wish in wishes:
            name, _sign, version = wish.partition("==")
            if name not in self.index or (version and version not in self.index[name]):
                return Result(1, "", f"ERROR: No matching distribution found for {wish}")
            found = version or self.index[name][-1]
            folder = f"{self.site(self.prefix_of(argv))}/{name.replace('-', '_')}-{found}.dist-info"
            self.files[f"{folder}/METADATA"] = ""
        return Result(0, "done", "")

    def drop(self, path):
        for book in (self.files, self.links):
            for name in [name for name in book if name == path or name.startswith(f"{path}/")]:
                del book[name]

    def rm(self, argv):
        self.drop(argv[-1])
        return Result(0, "", "")

    def mv(self, argv):
        self.links[argv[-1]] = self.links.pop(argv[-2])
        return Result(0, "", "")

    def chmod(self, argv):
        if argv[1] != "-R":
            self.modes[argv[2]] = int(argv[1], 8)
        return Result(0, "", "")

    def chown(self, argv):
        user, group = argv[1].split(":")
        self.owners[argv[2]] = (int(user), int(group))
        return Result(0, "", "")

    def stat(self, path):
        found = super().stat(path)
        return found and (found[0], *self.owners.get(path, found[1:]))

    def programs(self):
        """What was run, without what only moves files."""
        return [argv for argv in self.ran if argv[0] not in ("rm", "mv", "chmod", "chown")]


def hangs(seconds=7200):
    return CommandTimeout(["pip"], seconds)
