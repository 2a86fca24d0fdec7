"""A stand-in for the parsers of `vllm serve`: argparse with the options that each release's own parser listed."""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any

CAPTURED = Path(__file__).parent / "fixtures" / "vllm"
SWITCHES = ("_StoreTrueAction", "BooleanOptionalAction", "EnableDisableAction")
JSON = ("loads", "parse_dataclass", "union_dict_and_str", "from_json", "from_cli")


@cache
def _lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CAPTURED / "parsers.jsonl").read_text(encoding="utf-8").splitlines()]


def releases() -> list[str]:
    return list(_lines()[0]["releases"])


def options(release: str) -> list[dict[str, Any]]:
    place = releases().index(release)
    return [row for row in _lines()[1:] if releases().index(row["first"]) <= place <= releases().index(row["last"])]


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ValueError(message)


@cache
def parser(release: str) -> Parser:
    """Stricter than the real one: the beginning of an option is not taken for the option."""
    made = Parser(allow_abbrev=False, add_help=False)
    made.add_argument("command", choices=["serve"])
    made.add_argument("model_tag")
    for row in options(release):
        names = [name for name in row["names"] if name.startswith("-")]
        if not names:
            continue
        how: dict[str, Any] = {"dest": names[0].lstrip("-").replace("-", "_")}
        if row["action"] in SWITCHES:
            for name in names:
                made.add_argument(name, action="store_const", const=not name.startswith("--no-"), dest=how["dest"])
            continue
        if row["action"] == "_AppendAction":
            how["action"] = "append"
        if row.get("nargs"):
            how["nargs"] = row["nargs"]
        if row.get("type") in ("int", "float"):
            how["type"] = {"int": int, "float": float}[row["type"]]
        elif row.get("type") in JSON:
            how["type"] = json.loads
        if row.get("choices"):
            how["choices"] = [int(one) for one in row["choices"]] if how.get("type") is int else row["choices"]
        made.add_argument(*names, **how)
    return made


def parsed(release: str, argv: list[str]) -> dict[str, Any]:
    """What was given, by destination. :raises ValueError: where the release refuses the line"""
    return {key: value for key, value in vars(parser(release).parse_args(argv)).items() if value is not None}
