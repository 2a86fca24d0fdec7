"""The four kinds of .run package and how NVIDIA names their files."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.console import LabError

MACHINE = "x86_64"
SUFFIXES = {"driver": "", "grid": "-grid", "vgpu_manager": "-vgpu-kvm"}
# CUDA release -> the driver in the file's name, nvcc's version, the least compute capability; as NVIDIA published them.
CUDA = {
    "11.8.0": ("520.61.05", "11.8.89", 35),
    "12.4.1": ("550.54.15", "12.4.131", 50),
    "12.6.2": ("560.35.03", "12.6.77", 50),
    "12.6.3": ("560.35.05", "12.6.85", 50),
    "12.8.1": ("570.124.06", "12.8.93", 50),
    "12.9.1": ("575.57.08", "12.9.86", 50),
    "13.0.2": ("580.95.05", "13.0.88", 75),
}


@dataclass(frozen=True)
class StandIn:
    """One package: ``kind`` is driver, grid, vgpu_manager or cuda, ``version`` the driver's or CUDA's."""

    kind: str
    version: str

    def __post_init__(self) -> None:
        if self.kind != "cuda" and self.kind not in SUFFIXES:
            raise LabError(f"There is no stand-in of kind {self.kind}: {', '.join([*SUFFIXES, 'cuda'])}.")
        if self.kind == "cuda" and self.version not in CUDA:
            raise LabError(f"There is no stand-in for CUDA {self.version}: {', '.join(CUDA)}.")

    @property
    def file_name(self) -> str:
        if self.kind == "cuda":
            return f"cuda_{self.version}_{CUDA[self.version][0]}_linux.run"
        return f"{self.folder}.run"

    @property
    def folder(self) -> str:
        """Gives the name of the folder that the file unpacks to."""
        if self.kind == "cuda":
            return "pkg"
        return f"NVIDIA-Linux-{MACHINE}-{self.version}{SUFFIXES[self.kind]}"

    @property
    def label(self) -> str:
        if self.kind == "cuda":
            return "CUDA Installer"
        return f"NVIDIA Accelerated Graphics Driver for Linux-{MACHINE} {self.version}"

    @property
    def script(self) -> str:
        return "./cuda-installer" if self.kind == "cuda" else "./nvidia-installer"

    @property
    def release(self) -> str:
        """Gives ``12.6`` for 12.6.3."""
        return ".".join(self.version.split(".")[:2])
