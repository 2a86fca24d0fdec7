"""What the simulated kernel has loaded: decided from the profile, the host's disk and what was asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

# Modules in the order in which they are loaded; each with those that use it.
NVIDIA_MODULES = {
    "nvidia": ["nvidia_uvm", "nvidia_modeset"],
    "nvidia_uvm": [],
    "nvidia_modeset": ["nvidia_drm"],
    "nvidia_drm": [],
}
CUDA_OF_BRANCH = {
    470: 11040, 510: 11060, 515: 11070, 520: 11080, 525: 12000, 530: 12010, 535: 12020, 545: 12030, 550: 12040,
    555: 12050, 560: 12060, 565: 12070, 570: 12080, 575: 12090, 580: 13000, 590: 13010, 595: 13020, 610: 13030,
    615: 13040,
}  # fmt: skip


class Module(NamedTuple):
    """A driver: its version ("535.309.01") and flavour ("open" or "proprietary")."""

    version: str
    flavour: str


class Disk(NamedTuple):
    """What the host's disk says: the driver built for the booted kernel, and whether nouveau may load.

    ``nouveau_barred`` means that a blacklist is in force in the initramfs as well.
    """

    module: Module | None
    nouveau_barred: bool
    nvidia_barred: bool = False


class Loaded(NamedTuple):
    """What is loaded: NVIDIA's driver and which of its modules, the cards that it and nouveau have, and other modules.

    Cards are named by their addresses.
    """

    nvidia: Module | None = None
    nvidia_gpus: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    nouveau_gpus: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def nouveau(self) -> bool:
        return bool(self.nouveau_gpus)

    def users(self, module: str) -> list[str]:
        """Lists the loaded modules that use ``module``."""
        return [name for name in NVIDIA_MODULES[module] if name in self.modules]


def branch_of(version: str) -> int:
    return int(version.split(".")[0])


def cuda_version(version: str) -> int:
    """Gives a driver's CUDA version as NVML counts it, 12020 for 12.2: that of the newest branch that is not newer."""
    known = [branch for branch in CUDA_OF_BRANCH if branch <= branch_of(version)]
    return CUDA_OF_BRANCH[max(known)] if known else 11000


def supports(gpu: dict[str, Any], module: Module) -> bool:
    """Says whether the driver takes this card: its branch must reach it, and its flavour must suit it."""
    branches = gpu["branches"]
    branch = branch_of(module.version)
    if branch < int(branches["first"]) or (branches.get("last") is not None and branch > int(branches["last"])):
        return False
    return bool(gpu["flavours"].count(module.flavour))


def usual_flavour(profile: dict[str, Any], version: str) -> str:
    """Gives the flavour that an installer takes by itself: since 560 the open one, where every card can have it."""
    every = all("open" in gpu["flavours"] for gpu in profile["gpus"])
    return "open" if every and branch_of(version) >= 560 else "proprietary"


def with_nvidia(profile: dict[str, Any], module: Module) -> Loaded:
    """Gives the state in which nvidia has been loaded and nouveau is absent; nvidia stays out when no card suits it."""
    takes = tuple(str(gpu["address"]) for gpu in profile.get("gpus", []) if supports(gpu, module))
    return Loaded(module, takes, tuple(NVIDIA_MODULES)) if takes else Loaded()


def with_nouveau(profile: dict[str, Any]) -> Loaded:
    return Loaded(nouveau_gpus=tuple(str(gpu["address"]) for gpu in profile["gpus"] if gpu.get("nouveau", True)))


def at_boot(profile: dict[str, Any], disk: Disk, given: Module | None) -> Loaded:
    """Decides what a booting kernel loads. ``given`` counts as loaded until there is a driver on the disk."""
    if given is not None:
        return with_nvidia(profile, disk.module or given)
    if profile.get("nouveau") and profile.get("gpus") and not disk.nouveau_barred:
        return with_nouveau(profile)
    if disk.module is not None and not disk.nvidia_barred:
        return with_nvidia(profile, disk.module)
    return Loaded()
