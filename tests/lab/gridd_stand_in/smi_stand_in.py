"""A stand-in for nvidia-smi in a vGPU guest: of `nvidia-smi -q` the part about licences, from the simulator's files."""

from __future__ import annotations

import sys
from pathlib import Path

RUN = Path("/run/gpu-simulator")
MODES = {"0": "None", "1": "Pass-Through", "2": "VGPU"}


def values(name: str) -> dict[str, str]:
    path = RUN / name
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines)


def row(depth: int, key: str, value: str) -> str:
    indent = "    " * depth
    return f"{indent}{key:<{50 - len(indent)}}: {value}"


def licence(state: dict[str, str], held: dict[str, str], prefix: str) -> list[str]:
    product = state.get(f"{prefix}licence_product")
    if product is None:
        return []
    parts = held.get(f"{prefix}expiry", "").split()
    status = "Unlicensed (Unrestricted)"
    if parts:
        status = f"Licensed (Expiry: {'-'.join(parts[:3])} {':'.join(parts[3:])} GMT)"
    return ["    vGPU Software Licensed Product", row(2, "Product Name", product), row(2, "License Status", status)]


def query() -> list[str]:
    state, held = values("nvml.state"), values("licence.state")
    count, driver = int(state.get("count", "0")), state["driver"]
    lines = ["", "==============NVSMI LOG==============", "", row(0, "Driver Version", driver)]
    lines += [row(0, "Attached GPUs", str(count))]
    for index in range(count):
        prefix = f"gpu.{index}."
        domain, rest = state[f"{prefix}address"].split(":", 1)
        lines += [f"GPU {int(domain, 16):08X}:{rest.upper()}", row(1, "Product Name", state[f"{prefix}name"])]
        lines += [row(1, "GPU UUID", state[f"{prefix}uuid"]), "    GPU Virtualization Mode"]
        lines += [row(2, "Virtualization Mode", MODES.get(state[f"{prefix}virtualization_mode"], "N/A"))]
        lines += [row(2, "Host VGPU Mode", "N/A"), *licence(state, held, prefix), ""]
    return lines


def main() -> int:
    if not values("nvml.state"):
        print("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")
        return 9
    if "-q" not in sys.argv[1:]:
        print("This stand-in knows -q alone.", file=sys.stderr)
        return 2
    print("\n".join(query()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
