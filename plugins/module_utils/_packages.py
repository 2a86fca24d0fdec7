# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's packages whatever the package manager: observe, plan, predict, apply."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_apt as look
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

MANAGERS = (("apt-get", "apt"), ("dnf", "dnf"), ("zypper", "zypper"), ("pacman", "pacman"))


def find_manager(system, asked):
    """The package manager asked for, or the one that is there."""
    found = next((manager for program, manager in MANAGERS if system.which(program)), None)
    if asked != "auto" or found:
        return found if asked == "auto" else asked
    raise NvidiaError("No package manager that is known here was found: apt-get, dnf, zypper or pacman.")


def ensure(params, system, *, apply):
    """The result of the module `driver_packages`; see its RETURN."""
    manager = find_manager(system, params["manager"])
    if manager != "apt":
        from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_other

        return _packages_other.ensure(params, system, manager, apply=apply)
    before = look.observe(system, params)
    if params["state"] == "present":
        plan = look.plan_present(system, params, before, apply)
    else:
        from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_absent

        plan = _packages_absent.plan_absent(system, params, before)
    built, packages = [], plan.after
    if apply and plan.steps:
        from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_apply

        built = _packages_apply.carry_out(system, params, before, plan)
        packages = versions(look.observe(system, params).packages)
        verify(plan, packages, params["state"])
    return {
        "changed": bool(plan.steps),
        "steps": [step.says for step in plan.steps],
        "diff": {"before": describe_before(before, plan), "after": describe_after(before, plan, params)},
        "packages": packages,
        "built": built,
        "build_skipped": plan.skipped,
        "refreshed": plan.refreshed,
        "reboot_hint": reboot_hint(system, packages),
    }


def versions(packages):
    """{name: version} of the driver's installed packages."""
    return {name: packages[name].version for name in _dpkg.closure(packages)}


def describe_before(before, plan):
    """Packages, holds and built modules as they were found, for the diff."""
    return {
        "packages": touched(plan, {n: p.version for n, p in before.packages.items() if p.status != "config-files"})
        | versions(before.packages),
        "held": _dpkg.held(before.packages),
        "modules": _dkms_build.versions_by_kernel(before.built),
    }


def describe_after(before, plan, params):
    """The same as they will be."""
    modules = _dkms_build.versions_by_kernel(before.built)
    modules.update({step.data[1]: step.data[0] for step in plan.steps if step.kind == "build"})
    packages = {n: p.version for n, p in before.packages.items() if p.status != "config-files"}
    for step in plan.steps:
        if step.kind == "transaction":
            packages = {n: v for n, v in packages.items() if n not in step.data[2].removes}
            packages.update({name: new for name, (_old, new) in step.data[2].installs.items()})
        elif step.kind == "purge":
            packages = {n: v for n, v in packages.items() if n not in step.data[0] + step.data[1]}
        elif step.kind == "pending":
            packages.update(dict.fromkeys(step.data, params["version"] or "newest"))
    present = params["state"] == "present"
    return {
        "packages": touched(plan, packages) | plan.after,
        "held": sorted(plan.after) if present and params["hold"] else [],
        "modules": modules if present else {},
    }


def touched(plan, packages):
    """Those of the packages that some step touches."""
    names = set()
    for step in plan.steps:
        if step.kind == "transaction":
            names |= {*step.data[2].installs, *step.data[2].removes}
        elif step.kind == "purge":
            names |= {*step.data[0], *step.data[1]}
        elif step.kind == "pending":
            names |= {*step.data}
    return {name: version for name, version in sorted(packages.items()) if name in names}


def verify(plan, packages, state):
    """Package managers lie sometimes: what is there must be what was predicted."""
    if state == "absent" and packages:
        raise NvidiaError(f"The purge ended well but these packages are still there: {', '.join(packages)}.")
    wrong = [f"{n} {packages.get(n, 'absent')} instead of {v}" for n, v in plan.after.items() if packages.get(n) != v]
    if wrong and state == "present":
        raise NvidiaError(f"The transaction ended well but the packages are not what was planned: {', '.join(wrong)}.")


def reboot_hint(system, packages):
    """Why what runs is not what is installed, or None."""
    loaded = (system.read("/sys/module/nvidia/version") or "").strip()
    installed = next((_dpkg.upstream(v) for n, v in packages.items() if _dpkg.is_dkms(n) or n == "libnvidia-ml1"), None)
    if loaded and not packages:
        return f"The driver is removed but its module {loaded} is still loaded; unload it or reboot."
    if loaded and installed and loaded != installed and installed != "newest":
        return f"The loaded module is {loaded}, the installed driver {installed}; reload the modules or reboot."
    if packages and not loaded and system.exists("/sys/module/nouveau"):
        return "nouveau is loaded and holds the cards; reboot so that the NVIDIA driver gets them."
    return None
