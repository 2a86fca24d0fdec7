# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages beside the driver with dnf, zypper and pacman: each is asked first what it would do."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_table as table
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import matches
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

KERNEL = re.compile(r"kernel(-core|-modules.*|-default.*|-azure.*)?|linux(-lts|-zen|-hardened)?")
# How each manager tells what it would do, and changes nothing.
DRY = {
    "dnf": lambda argv: [argv[0], "--assumeno", *argv[2:]],
    "zypper": lambda argv: [*argv[:3], "--dry-run", *argv[3:]],
    "pacman": lambda argv: [*argv, "--print", "--print-format", "%n %v"],
}
Step = namedtuple("Step", "says argv")


def parse_dry(manager, text):
    """Names of the packages that a dry run would install, move or remove."""
    if manager == "pacman":
        return [line.split()[0] for line in text.splitlines() if re.fullmatch(r"[\w@.+-]+ \S+", line)]
    if manager == "dnf":
        row = r"^ {1,3}([\w.+-]+) +(?:x86_64|aarch64|noarch|i686) +\S+"
        return list(dict.fromkeys(re.findall(row, text, re.M)))
    blocks = re.findall(r"packages? (?:is|are) going to be [^:]*:\n((?: {2}.*\n?)+)", text)
    return list(dict.fromkeys(word for block in blocks for word in block.split()))


def touches_driver(names):
    """Those of the names that belong to the driver or are a kernel."""
    return [n for n in names if guard.guarded(n, "") or KERNEL.fullmatch(n)]


def ask_first(system, name, step):
    """Lets the manager tell what the step would do.

    :raises NvidiaError: when that would touch the driver or the kernel
    """
    argv = DRY[name](step.argv)
    result = system.run(argv, timeout=300)
    found = touches_driver(parse_dry(name, result.out))
    if found:
        raise NvidiaError(
            f"The transaction would touch the NVIDIA driver or the kernel: {', '.join(found)}. Nothing was changed. "
            "Only the role nvidia_driver changes the driver; ask for packages that do not bring one (cuda-toolkit-X-Y "
            "instead of cuda), and on a vGPU guest take NVIDIA's runfile."
        )
    if result.rc != 0 and not (name == "dnf" and "Operation aborted" in result.out + result.err):
        said = "\n".join((result.out + "\n" + result.err).strip().splitlines()[-10:])
        raise NvidiaError(f"{name} finds no way; nothing was changed: {step.says}.\n{said}")


def plan(packages, held, manager, params):
    """[Step] for what is missing, in the wrong version, or to be held. Pure."""
    asked = guard.parse_asked([*params["packages"], *params["companions"]])
    if params["state"] == "absent":
        gone = sorted(n for n in packages if matches(n, params["packages"]))
        release = [Step(f"Release {', '.join(held)}", [*manager.release, *held])] if held and manager.release else []
        return [*release, Step(f"Remove {', '.join(gone)}", [*manager.remove, *gone])] if gone else []
    if any(asked.values()) and not manager.pinned:
        raise NvidiaError(f"{manager.name} cannot install an exact version: its repositories have one only.")

    def right(name, wanted):
        have = packages.get(name, (None,))[0]
        return have is not None and wanted in (None, have, table.upstream(have))

    wrong = [name for name, wanted in asked.items() if params["upgrade"] or not right(name, wanted)]
    words = [manager.pinned.format(name=n, version=asked[n]) if asked[n] else n for n in wrong]
    moving = sorted({*held} & {*wrong})
    steps = [Step(f"Release {', '.join(moving)}", [*manager.release, *moving])] if moving and manager.release else []
    fresh = [word for word, name in zip(words, wrong) if name not in packages or asked[name]]
    known = [word for word in words if word not in fresh]
    steps += [Step(f"Install {', '.join(fresh)}", [*manager.install, *fresh])] if fresh else []
    steps += [Step(f"Upgrade {', '.join(known)}", [*manager.upgrade, *known])] if known else []
    loose = sorted({*guard.parse_asked(params["packages"])} - ({*held} - {*moving}))
    if params["hold"] and loose and manager.hold:
        steps.append(Step(f"Hold {', '.join(loose)}", [*manager.hold, *loose]))
    if params["hold"] is False and held and manager.release and not moving:
        steps.append(Step(f"Release {', '.join(held)}", [*manager.release, *held]))
    return steps


def observe(system, manager, params):
    """({name: (version, source)}, held names of those asked for)."""
    result = system.run(list(manager.query), timeout=120)
    if result.rc != 0:
        raise NvidiaError(f"{manager.query[0]} failed, so the installed packages are not known: {result.err.strip()}")
    packages = table.parse_installed(result.out)
    names = [n for n in packages if matches(n, list(guard.parse_asked(params["packages"])))]
    text = system.run(list(manager.held), timeout=120).out if manager.held and names else ""
    return packages, table.parse_held(text, names)


def ensure(params, system, name, *, apply):
    """The result of the module `guarded_packages` for a manager of the table."""
    manager = table.TABLE[name]
    packages, held = observe(system, manager, params)
    steps = plan(packages, held, manager, params)
    for step in steps:
        if step.argv[: len(manager.install)] == [*manager.install] or step.says.startswith(("Upgrade", "Remove")):
            ask_first(system, name, step)
    names = sorted(n for n in packages if matches(n, list(guard.parse_asked(params["packages"]))))
    before = {n: packages[n][0] for n in names}
    after = predict(before, params, bool(steps))
    if apply:
        for step in steps:
            result = system.run(step.argv, timeout=params["timeout"])
            if result.rc != 0:
                said = "\n".join((result.out + "\n" + result.err).strip().splitlines()[-20:])
                raise NvidiaError(f"{name} failed with exit status {result.rc}: {step.says}.\n{said}")
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {"before": {"packages": before}, "after": {"packages": after}},
        "packages": after,
        "refreshed": False,
    }


def predict(before, params, changes):
    """{name: version} afterwards; `newest` where the version is the archive's."""
    if params["state"] == "absent":
        return {}
    asked = guard.parse_asked(params["packages"])
    newest = {n: v or ("newest" if params["upgrade"] or n not in before else before[n]) for n, v in asked.items()}
    return {**before, **newest} if changes else before
