# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `gridd`: options to keys, the file's text before and after, writing it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_conf as conf
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_conf_edit import edit
from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import OPEN, ROOT, is_open
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

OPTIONS = {
    "feature_type": "FeatureType",
    "enable_ui": "EnableUI",
    "ignore_sp": "IgnoreSP",
    "license_interval": "LicenseInterval",
    "linger_interval": "LingerInterval",
    "token_path": "ClientConfigTokenPath",
    "server_address": "ServerAddress",
    "server_port": "ServerPort",
    "backup_server_address": "BackupServerAddress",
    "backup_server_port": "BackupServerPort",
}


def wanted(params):
    """{key: text} of what the file shall hold.

    :raises NvidiaError: for a value out of range, a key named twice, or a legacy key that was not asked for as one
    """
    found: dict = {}
    for option, key in OPTIONS.items():
        value = params[option]
        if value is not None:
            found[key] = conf.spelled(key, conf.FEATURES.get(value, value) if key == "FeatureType" else value)
    for key, value in (params["values"] or {}).items():
        if key in found:
            raise NvidiaError(f"{key} is named twice, in values and by its own option. Leave one of them out.")
        found[key] = conf.spelled(key, value)
    _refuse(found, params["remove"] or [], params["legacy"])
    return found


def _refuse(found, removed, legacy):
    twice = [key for key in removed if key in found]
    if twice:
        raise NvidiaError(f"remove names {', '.join(twice)}, which shall have a value too. Leave one of them out.")
    for key in removed:
        if not conf.KEY.fullmatch(key):
            raise NvidiaError(f"remove names {key!r}, which is no key of gridd.conf.")
    old = [key for key in conf.LEGACY if key in found]
    if old and not legacy:
        raise NvidiaError(
            f"{', '.join(old)} belongs to the legacy licence server, which no driver since vGPU 15 (branch 525) works "
            "with: there a client configuration token names the service (module gridd_token). Leave it out, or set "
            "legacy: true for an older driver. gridd.conf was left as it was."
        )
    if found.get("ClientConfigTokenPath", "/")[:1] != "/":
        raise NvidiaError(f"token_path is {found['ClientConfigTokenPath']!r}; give the absolute path of a folder.")


def ensure(params, system, *, apply):
    """The result of the module `gridd`; see its RETURN. ``warnings`` is for the caller to tell."""
    path, want, removed = system.real(params["path"]), wanted(params), params["remove"] or []
    have = _text(system, path)
    template = _text(system, params["template"]) if have is None and params["template"] else None
    begun = have if have is not None else template or ""
    text = edit(begun, want, removed)
    before, after = conf.values(have), conf.values(text)
    keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    rights = system.stat(path)
    is_theirs = have is not None and is_open(rights)
    is_other = text != have and not (have is None and not (want or template))
    changed = is_other or is_theirs
    # A group that may not write it: the file is what it was, and the daemon need not read it anew.
    is_given_back = is_theirs and not is_other and not (rights[0] & OPEN or rights[1])
    if apply and is_given_back:
        system.own(path, *ROOT)
    elif changed and apply:
        system.write(path, text, rights[0] & ~OPEN if rights else 0o644)
    return {
        "changed": changed,
        "changed_keys": keys,
        "settings": after,
        "restart_required": changed and not is_given_back,
        "steps": [
            *(_steps(path, have, keys, after) if is_other else []),
            *([f"Let root alone write {path}"] if is_theirs else []),
        ],
        "warnings": _warnings(path, text) if text else [],
        "diff": {
            "before_header": path if have is not None else f"{path} (absent)",
            "after_header": path if changed or have is not None else f"{path} (absent)",
            "before": have or "",
            "after": text if changed or have is not None else "",
        },
    }


def _text(system, path):
    """A file's text, or None; one that would not come back as it was is refused."""
    data = system.read_bytes(path)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise NvidiaError(
            f"{path} is not UTF-8 at byte {exc.start}, so that it cannot be edited without a loss. Correct that "
            "place by hand. The file was left as it was."
        ) from exc


def _steps(path, have, keys, after):
    steps = [] if have is not None else [f"Create {path}"]
    steps += [f"Set {key}={after[key]}" if key in after else f"Take {key} out of force" for key in keys]
    return steps or [f"Leave one line for each key in {path}"]


def _warnings(path, text):
    facts = conf.describe(path, text)
    told = [f"{path}, line {row['line']}: {row['text']}" for row in facts["errors"]]
    told += [f"{path} has {key} more than once; nobody documents which one counts." for key in facts["duplicates"]]
    return told
