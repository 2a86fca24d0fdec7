"""What a real host answers to the modules of a no-op run: recorded for the stand-ins of many such hosts."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

MODULE = re.compile(r"Using module file \S*/(\w+)\.py$")
RESULT = re.compile(r"<\S+> (\(0, b.*\))$")


class Answer(NamedTuple):
    module: str
    output: bytes


def parse(text: str) -> list[Answer]:
    """Reads the output of a run with -vvv over one host: each module that ran there, with what it wrote."""
    module, found = "", []
    for line in text.splitlines():
        named, result = MODULE.match(line), RESULT.match(line)
        if named:
            module = named[1]
        elif result:
            _code, output, _error = ast.literal_eval(result[1])
            found.append(Answer(module, output))
    return found


def inputs(answers: list[Answer]) -> str:
    """The digest of what was declared for the recorded host, as its records of convergence hold it."""
    for answer in answers:
        if answer.module == "gpu_facts":
            records = json.loads(answer.output)["ansible_facts"]["nvidia"].get("records") or {}
            digests = {record["inputs"] for record in records.values()}
            if len(digests) == 1:
                return digests.pop()
    sys.exit("The recorded host has no records, or with different inputs: it has not been converged as a whole.")


def save(answers: list[Answer], folder: Path) -> None:
    """Writes the answers as the stand-in reads them: ``gpu_facts.0``, ``gpu_facts.1`` …"""
    for name in ("done", "inputs"):
        (folder / name).mkdir()
    seen: Counter[str] = Counter()
    for answer in answers:
        (folder / f"{answer.module}.{seen[answer.module]}").write_bytes(answer.output)
        seen[answer.module] += 1
    (folder / "inputs.recorded").write_text(inputs(answers), encoding="utf-8")
