# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes key pairs so that at no moment a key is lost, whenever the power goes."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_pair as pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import OPEN

RETIRED = "/var/lib/gpufleet/mok/retired"


def carry_out(system, params, state, steps, given, common_name):
    """
    :param state: _mok_key_plan.State; :param given: (text, Certificate) that was delivered, or None
    """
    current, following = state.current, state.next
    for step in steps:
        if step.kind in ("make", "deliver"):
            text, data = (given[0], given[1].der) if given else pairs.make(system, params, common_name)
            place = current if current.text is None else following
            _write(system, place, text, data)
            if place is following:
                following = following._replace(text=text, certificate=certificate.read(data))
        elif step.kind == "certify":
            _text, data = pairs.make(system, params, common_name, key=current.key)
            system.write(current.file, data)
        elif step.kind == "restrict":
            system.write(current.key, current.text, mode=0o600)
        elif step.kind == "restrict_certificate":
            system.write(current.file, current.certificate.der, mode=system.stat(current.file)[0] & ~OPEN)
        elif step.kind in ("retire_next", "clear"):
            if step.kind == "retire_next":
                _retire(system, following, state.today)
            _remove(system, following.key, following.file)
            following = following._replace(text=None, certificate=None)
        elif step.kind == "promote":
            _promote(system, current, following, state.today)
        else:
            _forget(system, state, step)


def _write(system, place, text, data):
    """The certificate last: a key without one is completed in the next run, the other half could not be."""
    system.write(place.key, text, mode=0o600)
    system.write(place.file, data)


def _promote(system, current, following, today):
    """The old pair aside, the new one in place, then what waited goes: the next run can go on from each state."""
    _retire(system, current, today)
    _write(system, current, following.text, following.certificate.der)
    _remove(system, following.file, following.key)


def _retire(system, pair, today):
    found = pair.certificate
    ending = f"-{found.sha1[:10]}.der"
    known = next((name for name in system.entries(RETIRED) if name.endswith(ending)), f"{today}{ending}")
    path = f"{RETIRED}/{known[:-4]}"
    if not system.exists(f"{path}.key"):
        system.folder(RETIRED, mode=0o700)
        system.write(f"{path}.der", found.der)
        system.write(f"{path}.key", pair.text, mode=0o600)


def _forget(system, state, step):
    if step.kind == "forget_key":
        _remove(system, step.retired.key)
    elif step.kind == "forget_certificate":
        _remove(system, step.retired.certificate)
    elif step.kind == "remove":
        for pair in (state.current, state.next):
            if pair.certificate and pair.certificate.sha1 in state.listed:  # kept, so that it can be revoked
                system.folder(RETIRED, mode=0o700)
                system.write(f"{RETIRED}/{state.today}-{pair.certificate.sha1[:10]}.der", pair.certificate.der)
            _remove(system, *(path for path in (pair.key, pair.file) if system.exists(path)))


def _remove(system, *paths):
    for path in paths:
        system.remove(path)
