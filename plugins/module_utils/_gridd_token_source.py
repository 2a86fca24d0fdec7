# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a token comes from, and whether it may be put in place: each refusal comes before anything is changed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_token as token
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# data: the bytes, None where they must be fetched first; shown: what sentences call it; name: of the file, or None
Source = namedtuple("Source", "data shown name")

STAYS = "Nothing was changed."


def digest(text):
    """Eight digits that stand for a text in a file's name."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def shown_address(url):
    """An address without a password or a query, which may hold a secret."""
    return re.sub(r"(?<=://)[^/@]*@", "", url.split("?")[0].split("#")[0])


def source(params, system):
    """Source of the token as the options name it.

    :raises NvidiaError: for none or two of them, or a file that is not there
    """
    named = [name for name in ("src", "url", "content") if params[name]]
    if len(named) != 1:
        raise NvidiaError(f"A token comes from src, url or content: give exactly one of them. {STAYS}")
    if params["content"]:
        return Source(params["content"].strip().encode("utf-8", "surrogateescape"), "The token in content", None)
    if params["url"]:
        shown = shown_address(params["url"])
        if not params["url"].lower().startswith("https://"):
            raise NvidiaError(f"{shown} is no https address, and a token is a secret. Give an https one. {STAYS}")
        return Source(None, shown, f"client_configuration_token_{digest(params['url'])}.tok")
    name = params["src"].rpartition("/")[2]
    if params["transferred"] is not None:
        return Source(_transferred(params["transferred"]), params["src"], name)
    if not params["remote_src"]:
        raise NvidiaError(f"{params['src']} is a path on the host: set remote_src. {STAYS}")
    data = system.read_bytes(params["src"], token.LIMIT + 1)
    if data is None:
        raise NvidiaError(
            f"There is no file {params['src']} on the host that can be read. Is the share mounted? Without remote_src "
            f"the file is looked for on the controller. {STAYS}"
        )
    return Source(data, params["src"], name)


def _transferred(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NvidiaError("transferred is set by the action plugin, not by playbooks. Leave it out.") from exc


def accept(origin, now, wanted, present):
    """Token of the source's bytes.

    :param now: this host's clock, seconds since the epoch; :param wanted: service instance that it must name, or None
    :param present: service instances of the tokens on the host that work
    :raises NvidiaError: when it must not be put in place
    """
    read = token.read(origin.data)
    refused = token.refusal(read, now)
    if refused:
        raise NvidiaError(f"{origin.shown} {refused[1]}. {STAYS}")
    found = token.instance(read.claims)
    if wanted and found != wanted:
        raise NvidiaError(
            f"{origin.shown} is for the service instance {found}, not for {wanted}. Download the token of that "
            f"instance, or correct service_instance. {STAYS}"
        )
    if not wanted and present and found not in present:
        raise NvidiaError(
            f"{origin.shown} is for the service instance {found}, and the token on the host is for "
            f"{', '.join(sorted(map(str, present)))}. It may be somebody else's. To move the host to the new one, set "
            f"service_instance: {found}. {STAYS}"
        )
    return read
