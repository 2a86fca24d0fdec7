# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine and its operating system are, apart from any GPU."""

from __future__ import annotations

EFIVARS = "/sys/firmware/efi/efivars"
SECURE_BOOT = f"{EFIVARS}/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
PACKAGE_MANAGERS = {
    "debian": "apt",
    "ubuntu": "apt",
    "rhel": "dnf",
    "fedora": "dnf",
    "centos": "dnf",
    "suse": "zypper",
    "sles": "zypper",
    "arch": "pacman",
}
# Words in the firmware's description of the machine (DMI) that a hypervisor leaves there.
HYPERVISORS = (
    ("VMware", "vmware"),
    ("QEMU", "kvm"),
    ("KVM", "kvm"),
    ("Virtual Machine", "hyperv"),
    ("Xen", "xen"),
    ("VirtualBox", "virtualbox"),
    ("Google Compute Engine", "kvm"),
    ("OpenStack", "kvm"),
    ("Nutanix", "kvm"),
)


def parse_os_release(text):
    """``os-release`` as a dictionary; quotes are taken off, what is no assignment is passed over."""
    pairs = (line.split("=", 1) for line in (text or "").splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def package_manager(distribution, like):
    """apt, dnf, zypper or pacman by the distribution's family; None for a stranger."""
    return next((PACKAGE_MANAGERS[name] for name in [distribution, *like] if name in PACKAGE_MANAGERS), None)


def parse_container(environ):
    """The value of ``container=`` in the environment of process 1 (NUL-separated), or None."""
    words = (word for word in (environ or "").split("\0") if word.startswith("container="))
    return next((word[len("container=") :] for word in words if word != "container="), None)


def container(system):
    """Kind of the container that this is (systemd-nspawn, docker, lxc, podman …), or None."""
    environ = system.read("/proc/1/environ") or ""
    named = (system.read("/run/systemd/container") or "").strip() or parse_container(environ)
    if named:
        return named
    if system.exists("/.dockerenv"):
        return "docker"
    if system.exists("/run/.containerenv"):
        return "podman"
    return "kubernetes" if "\0KUBERNETES_SERVICE_HOST=" in f"\0{environ}" else None


def hypervisor(system):
    """Kind of the hypervisor below, ``unknown`` when only the processor tells that there is one, None on bare metal."""
    dmi = " ".join((system.read(f"/sys/class/dmi/id/{name}") or "").strip() for name in ("sys_vendor", "product_name"))
    if "Amazon EC2" in dmi:
        return None if ".metal" in dmi else "kvm"
    found = next((kind for word, kind in HYPERVISORS if word in dmi), None)
    if found:
        return found
    flags = next((line for line in (system.read("/proc/cpuinfo") or "").splitlines() if line.startswith("flags")), "")
    return "unknown" if "hypervisor" in flags.split() else None


def secure_boot(system):
    """enabled, disabled, unsupported (no EFI firmware) or unknown (its variables cannot be read)."""
    if not system.exists("/sys/firmware/efi"):
        return "unsupported"
    data = system.read_bytes(SECURE_BOOT)  # four bytes of attributes, then the value
    if data is None:
        return "disabled" if system.entries(EFIVARS) else "unknown"
    return "enabled" if data[4:5] == b"\x01" else "disabled"


def observe(system, python, user_id):
    """:param python: version of the Python that runs, such as ``3.11``; :param user_id: of the user that runs it"""
    release = parse_os_release(system.read("/etc/os-release") or system.read("/usr/lib/os-release"))
    distribution, like = release.get("ID", "unknown"), release.get("ID_LIKE", "").split()
    return {
        "distribution": distribution,
        "version": release.get("VERSION_ID"),
        "codename": release.get("VERSION_CODENAME"),
        "like": like,
        "machine": None,
        "package_manager": package_manager(distribution, like),
        "service_manager": "systemd" if system.exists("/run/systemd/system") else None,
        "boot_id": (system.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
        "container": container(system),
        "hypervisor": hypervisor(system),
        "secure_boot": secure_boot(system),
        "python": python,
        "user_id": user_id,
        "reboot_pending": system.exists("/run/reboot-required"),
    }
