# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why uv or pip did not install, as a cause and what to do; addresses lose their credentials. Pure."""

from __future__ import annotations

import re

# pattern of a line: what to do about it; the first that fits is told
CAUSES = (
    (
        r"No space left on device",
        "The disk is full: vLLM for GPUs needs some 12 GB. Make room or set prefix elsewhere.",
    ),
    (
        r"requires a different Python|Requires-Python|no wheels with a matching Python|not in '.*[<>]",
        "This release does not run on this Python: set python to one that it supports.",
    ),
    (
        r"No matching distribution found|No solution found|no version(s)? of|Could not find a version|was not found in",
        "Check the release and the names; a release may lack wheels for this Python, processor or glibc, and packages "
        "with a + in their release come from an index of their own (extra_index_urls, wheelhouse).",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES|[Hh]ash mismatch",
        "What was downloaded is not what was promised: try again, and look at the index or the wheelhouse.",
    ),
    (r"ResolutionImpossible|conflicting dependencies", "The packages cannot be together: look at constraints."),
    (r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate", "The index's certificate is not trusted by this host."),
    (
        r"40[13] (Client Error|Unauthorized|Forbidden)|HTTP status client error \(40[13]",
        "The index wants other credentials.",
    ),
    (
        r"Connection|timed out|Name or service not known|Temporary failure in name resolution|dns error|Network is unr",
        "The index cannot be reached: check proxy and index_url, or install from a wheelhouse with offline.",
    ),
    (
        r"error: command .*gcc|Failed building wheel|Failed to build",
        "A package has no wheel for this host and is built.",
    ),
)
DECISIVE = re.compile(r"^\s*(ERROR:|error:|×|╰─▶|├─▶|hint:|Caused by)|Error:|No space left|HASHES")


def redacted(text):
    """The text without user names and passwords in addresses."""
    return re.sub(r"(\w+://)[^\s/@]+@", r"\1***@", text)


def decisive(text, limit=6):
    """The lines that say why, or else the last ones."""
    lines = [short(line.strip()) for line in redacted(text).splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if re.match(r"(×|error:)", line)), None)
    if first is not None:  # uv tells its reason over several lines
        return lines[first : first + limit]
    return ([line for line in lines if DECISIVE.search(line)] or lines)[-limit:]


def short(line):
    """The line with the newest of a long list of releases alone."""
    return re.sub(r"(from versions: )([^)]*, )((?:[^),]+, ){2}[^),]+\))", r"\1…, \3", line)


def hint(text):
    """What to do about it, or an empty text."""
    return next((advice for pattern, advice in CAUSES if re.search(pattern, text)), "")


def sentence(what, rc, text, log):
    """The whole message of a failed step."""
    lines = decisive(text)
    told = " | ".join(lines) if lines else f"It said nothing and ended with {rc}."
    return " ".join(part for part in (f"{what} failed.", told.rstrip(".") + ".", hint(text), f"Log: {log}.") if part)
