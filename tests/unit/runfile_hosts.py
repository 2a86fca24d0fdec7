"""A host made of dictionaries on which NVIDIA's installers can be run: what they lay, and how they fail."""

from __future__ import annotations

import hashlib
import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.runfile import ARGUMENT_SPEC
from tests.unit.fake_system import FakeSystem
from tests.unit.test_driver import module_file

KERNEL = "6.1.0-50-amd64"
OTHER = "6.1.0-56-amd64"
BACKUP = "/var/lib/nvidia/log"
DRIVER_LOG = "/var/log/nvidia-installer.log"
CUDA_LOG = "/var/log/cuda-installer.log"
FOLDER = "/var/lib/gpufleet/runfiles"


def driver_name(version, suffix=""):
    return f"NVIDIA-Linux-x86_64-{version}{suffix}.run"


def driver_file(version, suffix=""):
    folder = driver_name(version, suffix)[: -len(".run")]
    lines = ["#!/bin/sh", f"version_string={version}", "script=./nvidia-installer", f"targetdir={folder}"]
    return "\n".join([*lines, "# Uncompressed size: 900 KB", ""]).encode()


def cuda_name(version):
    return f"cuda_{version}_560.35.05_linux.run"


def cuda_file(version):
    return f'#!/bin/sh\nlabel="CUDA Installer"\nscript="./cuda-installer"\n# {version}\n'.encode()


def checksum(data):
    return hashlib.sha256(data).hexdigest()


def params(**given):
    defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    return {**defaults, **given}


class RunfileHost(FakeSystem):
    """:param fails: (version, "early" | "late") at which an installer fails; damaged: paths whose --check fails"""

    def __init__(self, files=None, links=None, fails=(), damaged=(), free=10**9, kernels=(KERNEL,)):
        there = {f"/lib/modules/{kernel}/modules.dep": "" for kernel in kernels}
        there["/proc/sys/kernel/osrelease"] = f"{KERNEL}\n"
        super().__init__({**there, **(files or {})}, links, which=["dpkg-query"])
        self.fails, self.damaged, self.free, self.owned = set(fails), set(damaged), free, {}
        self.fetched = []

    # What the module reads its machine with.
    def run(self, argv, timeout=30, data=None, env=None):
        self.ran.append(list(argv))
        answer = getattr(self, f"_{argv[0].rsplit('/', 1)[-1].replace('-', '_')}", None)
        return answer(argv) if answer else Result(127, "", f"{argv[0]}: not found")

    def fetch(self, address, path, timeout):
        self.fetched.append(address)
        served = {name.rsplit("/", 1)[-1]: data for name, data in self.files.items() if name.startswith("/served/")}
        if address.rsplit("/", 1)[-1] not in served:
            raise NvidiaError(f"{address} cannot be downloaded: Not Found. Nothing was changed.")
        self.files[path] = served[address.rsplit("/", 1)[-1]]

    def _sha256sum(self, argv):
        return Result(0, f"{checksum(self.read_bytes(argv[1]))}  {argv[1]}\n", "")

    def _mkdir(self, argv):
        return Result(0, "", "")

    def _mv(self, argv):
        source, target = argv[-2:]
        moved = {name: data for name, data in self.files.items() if name == source or name.startswith(f"{source}/")}
        for name, data in moved.items():
            del self.files[name]
            self.files[target + name[len(source) :]] = data
        return Result(0 if moved else 1, "", "")

    def _cp(self, argv):
        self.files[argv[-1]] = self.files[argv[-2]]
        return Result(0, "", "")

    def _rm(self, argv):
        for name in [n for n in self.files if n == argv[-1] or n.startswith(f"{argv[-1]}/")]:
            del self.files[name]
        return Result(0, "", "")

    def _df(self, argv):
        return Result(
            0, f"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 1 1 {self.free} 1% /\n", ""
        )

    def _stat(self, argv):
        return Result(0, f"{len(self.read_bytes(argv[-1]))}\n", "")

    def _findmnt(self, argv):
        return Result(0, "rw,relatime\n", "")

    def _uname(self, argv):
        return Result(0, "x86_64\n", "")

    def _dpkg_query(self, argv):
        owners = self.owned.get(argv[-1])
        return Result(0, f"{', '.join(owners)}: {argv[-1]}\n", "") if owners else Result(1, "", "no path found")

    # NVIDIA's programs.
    def _sh(self, argv):
        text = self.read_bytes(argv[1])
        if argv[2:] == ["--check"]:
            return Result(1, "", "Error in checksums") if argv[1] in self.damaged else Result(0, "All good.", "")
        return self._cuda_installer(argv, text) if b"cuda-installer" in text else self._driver_installer(argv, text)

    def _driver_installer(self, argv, text):
        version = text.decode().split("version_string=")[1].split("\n")[0]
        kernel = next((word.split("=")[1] for word in argv if word.startswith("--kernel-name=")), KERNEL)
        flavour = (
            "open"
            if {"--kernel-module-type=open", "--kernel-module-build-directory=kernel-open"} & {*argv}
            else "proprietary"
        )
        self.files[DRIVER_LOG] = f"installer version: {version} {len(self.ran)}\n"
        if (version, "early") in self.fails:
            self.files[DRIVER_LOG] += "ERROR: Unable to find the kernel source tree.\n"
            self.files[DRIVER_LOG] += "ERROR: Installation has failed.  Please see\n"
            return Result(1, "", "")
        if "--kernel-modules-only" not in argv:
            self.uninstall_driver()
            self.files.update({"/usr/bin/nvidia-installer": "", "/usr/bin/nvidia-uninstall": ""})
            self.files[BACKUP] = f"1.0-{version.replace('.', '')} ({version})\nNVIDIA Accelerated Graphics Driver\n"
            if b"-grid" in text:
                self.files["/usr/bin/nvidia-gridd"] = ""
        if (version, "late") in self.fails:
            self.files[DRIVER_LOG] += "ERROR: No space left on device\n"
            return Result(1, "", "")
        self.files[f"/lib/modules/{kernel}/kernel/drivers/video/nvidia.ko"] = module_file(
            version, "Dual MIT/GPL" if flavour == "open" else "NVIDIA"
        )
        return Result(0, "", "")

    def uninstall_driver(self):
        for name in [
            n for n in self.files if n.startswith(("/usr/bin/nvidia-", "/var/lib/nvidia/")) or n.endswith("nvidia.ko")
        ]:
            del self.files[name]

    def _nvidia_uninstall(self, argv):
        self.uninstall_driver()
        return Result(0, "", "")

    def _cuda_installer(self, argv, text):
        version = text.decode().rsplit("# ", 1)[1].strip()
        path = next(word.split("=")[1] for word in argv if word.startswith("--toolkitpath="))
        self.files[CUDA_LOG] = f"[INFO]: {len(self.ran)}\n"
        self.files[f"{path}/bin/nvcc"] = ""
        if (version, "late") in self.fails:
            self.files[CUDA_LOG] += "[ERROR]: copy_file: No space left on device\n"
            return Result(1, "", "")
        self.files[f"{path}/version.json"] = json.dumps({"cuda": {"version": version}})
        self.files[f"{path}/bin/cuda-uninstaller"] = ""
        self.links["/usr/local/cuda"] = path
        return Result(0, "", "")

    def _cuda_uninstaller(self, argv):
        path = argv[0].rsplit("/", 2)[0]
        for name in [f"{path}/bin/nvcc", f"{path}/version.json", f"{path}/bin/cuda-uninstaller"]:
            self.files.pop(name, None)
        return Result(0, "", "")

    def installers(self):
        """The runs of NVIDIA's programs, without their own checks."""
        return [
            argv
            for argv in self.ran
            if (argv[0] == "sh" and "--check" not in argv) or "nvidia" in argv[0] or "cuda" in argv[0]
        ]
