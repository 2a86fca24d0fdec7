# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small, strict reader of DER (ITU-T X.690), enough for certificates and for the signatures of kernel modules."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT, UTF8 = 0x01, 0x02, 0x03, 0x04, 0x06, 0x0C
SEQUENCE, SET = 0x30, 0x31
UTC_TIME, GENERALIZED_TIME, BMP, UNIVERSAL = 0x17, 0x18, 0x1E, 0x1C

Element = namedtuple("Element", "tag body raw")
Element.__doc__ = "tag: the one byte of it; body: the content; raw: content with tag and length"


class DerError(NvidiaError):
    """What the bytes break; the caller says what was being read and what to do."""


def element(data, at=0):
    """The element that starts at *at*.

    :raises DerError: for a tag of several bytes, an indefinite or too long length, or one that leaves the data
    """
    if at + 2 > len(data):
        raise DerError("it ends within an element")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise DerError("it has a tag of several bytes")
    if length >= 0x80:
        count = length - 0x80
        if not 1 <= count <= 4 or start + count > len(data):
            raise DerError("it has a length that DER does not allow")
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
        if length < 0x80 or length >> (8 * (count - 1)) == 0:
            raise DerError("it has a length that is not the shortest")
    if start + length > len(data):
        raise DerError("an element is longer than the data")
    return Element(tag, data[start : start + length], data[at : start + length])


def one(data):
    """The only element of *data*; more bytes after it are an error."""
    found = element(data)
    if len(found.raw) != len(data):
        raise DerError("there are bytes after its end")
    return found


def inside(parent, *tags):
    """The elements within a constructed one; *tags*: what it may be."""
    expect(parent, *tags)
    found, at = [], 0
    while at < len(parent.body):
        found.append(element(parent.body, at))
        at += len(found[-1].raw)
    return found


def expect(found, *tags):
    """The element itself, where it has one of the tags (none named: any)."""
    if tags and found.tag not in tags:
        raise DerError(f"it has an element {found.tag:#04x} where {tags[0]:#04x} belongs")
    return found


def pick(elements, number):
    """One of several elements by its place."""
    if number >= len(elements):
        raise DerError("an element is missing")
    return elements[number]


def number(found):
    """The value of an INTEGER."""
    if not expect(found, INTEGER).body:
        raise DerError("it has a number without digits")
    return int.from_bytes(found.body, "big", signed=True)


def hexadecimal(value):
    """A serial number as ``modinfo`` has it, without its colons and in small letters: whole bytes, no sign byte."""
    digits = f"{value:x}"
    return digits if value < 0 or len(digits) % 2 == 0 else f"0{digits}"


def oid(found):
    """An OBJECT IDENTIFIER with dots."""
    body = expect(found, OBJECT).body
    if not body or body[-1] & 0x80:
        raise DerError("it has a damaged object identifier")
    values, value = [], 0
    for byte in body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            values.append(value)
            value = 0
    first = min(values[0] // 40, 2)
    return ".".join(str(word) for word in (first, values[0] - 40 * first, *values[1:]))


def text(found):
    """Any of ASN.1's string types; what cannot be decoded is replaced."""
    encoding = {BMP: "utf-16-be", UNIVERSAL: "utf-32-be", UTF8: "utf-8"}.get(found.tag, "latin-1")
    return found.body.decode(encoding, "replace")
