"""Packs a folder into a self-extracting file with Debian's makeself, its header made to be like NVIDIA's."""

from __future__ import annotations

from pathlib import Path

from tests.lab.console import LabError, run
from tests.lab.runfile_stand_ins.kinds import StandIn

HEADER = Path("/usr/share/makeself/makeself-header.sh")
# NVIDIA's makeself hands options that are not its own to the installer, without a -- before them.
UNKNOWN = """    -*)
\techo Unrecognized flag : "\\$1" >&2
\tMS_Help
\texit 1
\t;;"""
HANDED_ON = "    -*)\n\tbreak ;;"
DATE = "Thu Jan  1 00:00:00 UTC 1970"
REPRODUCIBLE = "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner"


def header(wanted: StandIn, text: str) -> str:
    """Gives makeself's header as NVIDIA's installers have it."""
    if UNKNOWN not in text or 'label="$LABEL"' not in text:
        raise LabError(f"{HEADER} is not the makeself that the stand-ins were written for (Debian's 2.4.5).")
    text = text.replace(UNKNOWN, HANDED_ON)
    if wanted.kind != "cuda":
        text = text.replace('label="$LABEL"', f'label="$LABEL"\nversion_string={wanted.version}\npkg_history=stand-in')
    return text


def pack(wanted: StandIn, tree: Path, target: Path) -> None:
    template = target.parent / "header.sh"
    template.write_text(header(wanted, HEADER.read_text(encoding="utf-8")), encoding="utf-8")
    options: list[str | Path] = [
        "--quiet",
        "--nox11",
        "--nomd5",
        "--sha256",
        "--header",
        template,
        "--packaging-date",
        DATE,
    ]
    run(["makeself", *options, "--tar-extra", REPRODUCIBLE, tree, target, wanted.label, wanted.script])
