# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own memory of what was asked of MokManager: without it, a dismissed request looks like one never made."""

from __future__ import annotations

import json

PATH = "/var/lib/gpufleet/mok/requests.json"
FIELDS = ("sha1", "serial", "subject", "action", "boot_id", "time")
ACTIONS = ("enrol", "delete")


def parse(text):
    """The requests of the file; of a damaged one what can be understood, which may be nothing."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    rows = rows if isinstance(rows, list) else []
    return [{name: row.get(name) for name in FIELDS} for row in rows if _is_request(row)]


def _is_request(row):
    words = isinstance(row, dict) and all(isinstance(row.get(name), (str, type(None))) for name in FIELDS)
    return bool(words and row.get("sha1") and row.get("action") in ACTIONS)


def read(system):
    """The requests, oldest first; None: the file is there and only root may read it."""
    text = system.read(PATH)
    return None if text is None and system.exists(PATH) else parse(text)


def write(system, rows):
    """Keeps the requests; the file goes with the last of them. It has no secret, and still is root's alone."""
    if rows:
        system.write(PATH, json.dumps(rows, indent=2, sort_keys=True) + "\n", mode=0o600)
    else:
        system.remove(PATH)


def remember(rows, certificate, action, boot_id, time):
    """The requests with one more; it takes the place of an older one for the same certificate.

    :param certificate: Certificate, or a dictionary with sha1, serial and subject; :param time: ISO 8601
    """
    fields = certificate if isinstance(certificate, dict) else certificate._asdict()
    row = {**{name: fields[name] for name in FIELDS[:3]}, "action": action, "boot_id": boot_id, "time": time}
    return [*forget(rows, fields["sha1"]), row]


def forget(rows, sha1):
    """The requests without those for a certificate."""
    return [row for row in rows if row["sha1"] != sha1]


def dismissed(rows, boot_id, enrolled, pending):
    """The requests that a boot has taken away and that did not come true: nobody confirmed, or somebody said no.

    :param enrolled: SHA-1 of the certificates that are; :param pending: of those that wait, whichever way
    """
    gone = [row for row in rows if row["boot_id"] != boot_id and row["sha1"] not in pending]
    return [row for row in gone if (row["sha1"] in enrolled) != (row["action"] == "enrol")]
