# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host has no licence: the causes, what to do about each, and the daemon's own words for them."""

from __future__ import annotations

import re

# cause: what to do about it
HINTS = {
    "token_missing": (
        "No client configuration token is there. Generate one on the licence service and put it in place with "
        "gridd_token, exactly one file of it."
    ),
    "token_invalid": (
        "The client configuration token cannot be used: it is damaged, or was copied as text. Download it again, and "
        "put it in place with gridd_token, which looks at it first."
    ),
    "token_expired": (
        "The client configuration token has expired by this host's clock. Where the clock is right, generate a new "
        "one on the licence service."
    ),
    "clock_skew": (
        "This host's clock and the licence service's differ. Let chrony or systemd-timesyncd set the clock, then "
        "restart nvidia-gridd."
    ),
    "no_entitlement": (
        "The licence service has no licence of this kind left, or none at all. Look at its pool of licences, and at "
        "FeatureType and the profile's series, which decide on the kind."
    ),
    "server_unreachable": (
        "The licence service does not answer. Look at its state, at name resolution and routes, and whether a firewall "
        "lets this host reach it at the addresses that the token names."
    ),
    "tls_failed": (
        "The licence service's certificate was not accepted. Look at the clock, at a proxy that reads along, and "
        "whether the service got a new certificate since the token was made."
    ),
    "service_stopped": (
        "The licensing daemon nvidia-gridd does not run. Install the vGPU guest driver with its unit, and look at "
        "journalctl --unit nvidia-gridd.service."
    ),
    "feature_mismatch": (
        "The feature that is asked for does not fit this GPU. A passed-through GPU needs FeatureType 2 or 4, a virtual "
        "one 1 or none."
    ),
    "driver_too_old": (
        "This driver knows the legacy licence server only. Client configuration tokens want vGPU 13 (branch 470) or "
        "newer."
    ),
    "unknown": "Look at journalctl --unit nvidia-gridd.service and at the licence service's own log of events.",
}
GSP = (
    "This feature is not to be had while the GPU's system processor (GSP) runs the firmware. Set the module option "
    "NVreg_EnableGpuFirmware=0, and reboot."
)
STORE = (
    "The daemon's store of licences is damaged or was made by another machine. Stop nvidia-gridd, move "
    "/var/lib/nvidia/GridLicensing away, and start it."
)
RESTART = (
    "gridd.conf or a token was written after nvidia-gridd began, so that it does not know them. Restart nvidia-gridd."
)
LEGACY = (
    "gridd.conf has ServerAddress or ServerPort of the legacy licence server beside a token. Remove these keys, then "
    "restart nvidia-gridd."
)

# (words of the daemon, code, hint where the cause's own will not do); the first that fits counts.
# A code that is no cause: licensed, unlicensed (no reason is given), conf_missing; None passes the line over.
# Words of the connection's library, which the daemon hands on, are libcurl's.
TEXTS = (
    (r"License acquired successfully|Your system is licensed", "licensed", None),
    (r"Unable to fetch the client configuration token", "token_missing", None),
    (r"token .*\bexpired|expired .*\btoken", "token_expired", None),
    (
        r"Failed to decode signature from token|Failed to read configurations from client configuration token"
        r"|Failed to setup cloud License Manager",
        "token_invalid",
        None,
    ),
    (r"allowed time to process response has expired|[Cc]lock windback", "clock_skew", None),
    (
        r"No pool features found|[Ll]icenses? (?:are |is )?not available|[Nn]o licenses? available",
        "no_entitlement",
        None,
    ),
    (r"underlying GSP firmware|Disable GSP firmware", "feature_mismatch", GSP),
    (r"Invalid feature requested|[Uu]nsupported feature", "feature_mismatch", None),
    (
        r"\bSSL\b|\bTLS\b|[Cc]ertificate (?:verif|has expired|is not)|[Pp]eer certificate|self[- ]signed certificate",
        "tls_failed",
        None,
    ),
    (
        r"(?i)could(?:n't| not) (?:connect|resolve)|failed to connect|connection (?:refused|timed out|reset)"
        r"|no route to host|network is unreachable|timeout was reached|server returned nothing",
        "server_unreachable",
        None,
    ),
    (r"Failed to update local trusted store", "unknown", STORE),
    (r"Valid GRID license not found|GPU features and performance (?:are|will be) restricted", "unlicensed", None),
    (r"Failed to open file \S*gridd\.conf", "conf_missing", None),
    (r"Configuration parameter \( *\w+ *\) not set", None, None),
    (r"Failed to acquire NVIDIA GRID Virtual Workstation license", None, None),
    (r"(?i)\b(?:error|failed|failure|invalid)\b", "unknown", None),
)
PATTERNS = tuple((re.compile(words), code, hint) for words, code, hint in TEXTS)
NO_CAUSES = ("licensed", "unlicensed", "conf_missing")


def classify(text):
    """(code, hint) of a line of the daemon's; (None, None) for one that says nothing of a licence."""
    for pattern, code, hint in PATTERNS:
        if pattern.search(text):
            return code, hint or HINTS.get(code or "")
    return None, None
