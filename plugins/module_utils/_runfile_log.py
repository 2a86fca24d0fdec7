# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of an installer's log that tell why it failed, and what to do about it. Pure."""

from __future__ import annotations

import re

MARKED = re.compile(r"(ERROR: |\[ERROR\]: )(.*)")
WARNED = re.compile(r"(WARNING: )(.*)")
COMPILER = re.compile(r"\b(?:fatal )?error: |\*\*\* |undefined (?:reference|!)|^modpost: ")
HOLLOW = re.compile(r"Installation has failed\.\s+Please see|Invalid commandline, please run")
PREFIXED = re.compile(r"-> |WARNING: |ERROR: |\[\w+\]: ")

ADVICE = [
    (r"kernel source tree|kernel header file", "Install the headers of the kernel, or set kernel_source_path."),
    (r"development tool|libc header files", "Install gcc, make and libc's headers."),
    (
        r"Nouveau kernel driver is currently in use",
        "Keep nouveau from loading and reboot first; role nvidia_driver does.",
    ),
    (
        r"already loaded in your kernel",
        "Stop what uses the cards (module driver_modules unloads), or set allow_running_driver and reboot afterwards.",
    ),
    (
        r"not signed by a key|Key was rejected",
        "Secure Boot is on: set signing_key and signing_certificate to an enrolled key.",
    ),
    (r"running an X server", "Stop the display manager, or set x_check to false."),
    (r"alternate driver installation", "Remove the packages that bring a driver."),
    (r"No space left on device", "Make room there, or set tmpdir to a folder with more of it."),
    (r"sign-file", "Install the kernel's build tools (linux-kbuild), which hold sign-file."),
    (
        r"Unknown option|Invalid commandline|unrecognized option",
        "This installer lacks one of the options that were set.",
    ),
    (
        r"gcc version|compiler check|unsupported compiler",
        "Install a compiler that it supports, or set compiler_check to false.",
    ),
    (
        r"Building kernel modules|building the kernel modules",
        "The driver may be too old for this kernel: take a newer version.",
    ),
]


def decisive(text, limit=20):
    """The lines that tell why: the compiler's errors, then the installer's own; warnings where it gave no other reason.

    Paragraphs that NVIDIA's installer wraps are read on to their end.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    compiler = [line.strip() for line in lines if COMPILER.search(line) and not PREFIXED.match(line)]
    errors = _paragraphs(lines, MARKED)
    reasons = [error for error in errors if not HOLLOW.search(error)]
    if not reasons and not compiler:
        reasons = _paragraphs(lines, WARNED)
    found = list(dict.fromkeys([*compiler[: limit // 2], *reasons]))
    return found[:limit] if found else errors[:limit]


def _paragraphs(lines, pattern):
    """Every line that fits, joined with the indented lines after it."""
    found: list = []
    going_on = False
    for line in lines:
        match = pattern.match(line)
        if match:
            found.append(line.strip())
        elif going_on and re.match(r"\s+\S", line):
            found[-1] += " " + line.strip()
        going_on = bool(match) or (going_on and bool(re.match(r"\s+\S", line)))
    return [re.sub(r"\s+", " ", text) if len(text) > 200 else text for text in found]


def advice(text):
    """What to do about it, as one sentence, or None where nothing is known."""
    return next((sentence for pattern, sentence in ADVICE if re.search(pattern, text, flags=re.I)), None)


def explain(log, log_path, output):
    """The reasons from the log, or from what the installer printed when it wrote no log; then what to do.

    :param log: text that this run wrote to the log, or None
    """
    lines = decisive(log) if log else []
    where = f"{log_path} says:" if lines else "It said:"
    if not lines:
        lines = decisive(output) or [line.strip() for line in output.splitlines() if line.strip()][-8:]
    if not lines:
        return "It said nothing and wrote no log."
    todo = advice("\n".join(lines))
    return "\n".join([where, *lines, *([todo] if todo else [])])
