"""A host's root tree: an image below, what the host has changed above."""

from __future__ import annotations

from pathlib import Path

from tests.lab.console import run


def mounted_under(folder: Path, mounts: str | None = None) -> list[Path]:
    """Lists the mount points at and below ``folder``, deepest first."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8") if mounts is None else mounts
    points = [Path(line.split(" ")[4].replace("\\040", " ")) for line in text.splitlines() if line.strip()]
    return sorted((p for p in points if p == folder or folder in p.parents), key=lambda p: len(p.parts), reverse=True)


def mount(image: Path, host: Path) -> Path:
    """Mounts the host's root tree and gives its folder."""
    root = host / "root"
    for name in ("upper", "work", "root"):
        (host / name).mkdir(parents=True, exist_ok=True)
    if not mounted_under(root):
        options = f"lowerdir={image / 'tree'},upperdir={host / 'upper'},workdir={host / 'work'}"
        run(["mount", "-t", "overlay", "gpufleet-lab", "-o", options, root])
    return root


def unmount(host: Path) -> None:
    for point in mounted_under(host):
        run(["umount", "--lazy", point])
