"""What the verify tests of several scenarios read from a host, as plain data."""

from __future__ import annotations

import json
import re


def facts(host) -> dict:
    """`ansible_facts['nvidia']` as gpu_facts gives it on this host."""
    return host.ansible("gpufleet.nvidia.gpu_facts", check=False)["ansible_facts"]["nvidia"]


def dkms(host) -> list[tuple[str, str, str]]:
    """Rows of `dkms status`: module/version, kernel, state."""
    rows = re.findall(r"^(\S+?)[,:] (\S+?), \S+?: (\w+)", host.check_output("dkms status"), flags=re.M)
    return [(module.rstrip(","), kernel, state) for module, kernel, state in rows]


def newest_kernel(host) -> str:
    return host.check_output("ls -1v /lib/modules | tail -n 1")


def held(host) -> set[str]:
    return set(host.check_output("apt-mark showhold").split())


def driver_packages(host) -> dict[str, str]:
    """Installed packages built from a source of NVIDIA's driver (not of the CUDA toolkit), with their versions."""
    rows = host.check_output(
        r"dpkg-query -W -f '${Package}\t${Version}\t${source:Package}\t${db:Status-Status}\n'"
    ).splitlines()
    split = [row.split("\t") for row in rows]
    return {
        name: version
        for name, version, source, state in split
        if source.startswith("nvidia-") and source != "nvidia-cuda-toolkit" and state == "installed"
    }


def modinfo(host, kernel: str, field: str) -> str:
    """A field of the kernel module nvidia, under whatever name the distribution keeps it."""
    folder = f"/lib/modules/{kernel}/updates/dkms"
    (name,) = [name for name in host.file(folder).listdir() if re.match(r"nvidia(-current(-open)?)?\.ko", name)]
    return host.check_output(f"modinfo -F {field} {folder}/{name}")


def nvml(host) -> list[dict]:
    """Each GPU as NVML shows it to a program of its own, not through the collection."""
    program = (
        "import sys; sys.path.append('/opt/gpufleet/python'); import json, pynvml as n; n.nvmlInit(); "
        "h = [n.nvmlDeviceGetHandleByIndex(i) for i in range(n.nvmlDeviceGetCount())]; "
        "rows = [{'name': n.nvmlDeviceGetName(x), 'persistence': n.nvmlDeviceGetPersistenceMode(x)} for x in h]; "
        "print(json.dumps(rows, default=str))"
    )
    return json.loads(host.check_output(f'python3 -c "{program}"'))
