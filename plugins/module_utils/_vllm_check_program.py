# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that gives command lines to an installed release's own parser, run by its environment's Python.

It is told ``lines: [{name, argv, environment}]`` and prints one marked line of JSON:
``{"version", "lines": {name: {"ok", "text", "unknown": [variables]}}}`` or ``{"error": text}``. Nothing is started:
neither model nor port is touched, and no GPU is needed. Where `vllm serve` has its parser has moved several times.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys

PLACES = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args", "vllm.entrypoints.openai.cli_args")


def imported(*places):
    """The first module of these that is there."""
    import importlib

    for place in places[:-1]:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(place)
    return importlib.import_module(places[-1])


def server_parser():
    """(parser, check) of `vllm serve` alone, without the file of `--config`."""
    arguments = imported(*PLACES)
    flexible = imported("vllm.utils.argparse_utils", "vllm.utils").FlexibleArgumentParser
    parser = arguments.make_arg_parser(flexible(prog="vllm serve"))
    if not any(action.dest == "model_tag" for action in parser._actions):  # older releases add it elsewhere
        parser.add_argument("model_tag", nargs="?")
    return parser, getattr(arguments, "validate_parsed_serve_args", lambda found: None)


def parsed(argv, make=server_parser):
    """Raises what the release raises; argparse's exit carries what it wrote."""
    parser, check = make()
    found = parser.parse_args(argv[1:] if argv[:1] == ["serve"] else argv)
    check(found)
    return found


def judged(argv, environment, make=server_parser):
    """{ok, text} of one command line."""
    said, before = io.StringIO(), dict(os.environ)
    os.environ.update({name: str(value) for name, value in environment.items()})
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parsed(argv, make)
    except SystemExit as end:
        if end.code in (0, None):
            return {"ok": False, "text": "it asks for help or a version instead of serving"}
        return {"ok": False, "text": decisive(said.getvalue()) or f"the parser ended with {end.code}"}
    except Exception as error:
        return {"ok": False, "text": brief(error)}
    finally:
        os.environ.clear()
        os.environ.update(before)
    return {"ok": True, "text": ""}


def decisive(text):
    """What a parser said: behind its last `error:`, or else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.split("error: ", 1)[1] for line in lines if "error: " in line]
    return re.sub(r"<function (?:\w+\.)*loads at 0x\w+>", "JSON", (errors or lines or [""])[-1])[:500]


def brief(error):
    """An exception in one line; those of pydantic say the cause in the lines after the first."""
    return " ".join(f"{type(error).__name__}: {error}".partition("For further information")[0].split())[:500]


def unknown(environment):
    """Variables of vLLM's own that this release does not know; it would only warn of them."""
    try:
        from vllm import envs
    except Exception:
        return []
    known = getattr(envs, "environment_variables", None)
    return sorted(name for name in environment if known and name.startswith("VLLM_") and name not in known)


def main(told):
    """Runs as the program."""
    import logging

    logging.disable(logging.WARNING)
    real = sys.stdout
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import vllm

            server_parser()
    except BaseException as error:
        answer: dict = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    else:
        rows: dict = {}
        for line in told["lines"]:
            rows[line["name"]] = {
                **judged(line["argv"], line["environment"]),
                "unknown": unknown(line["environment"]),
            }
        answer = {"version": getattr(vllm, "__version__", None), "lines": rows}
    real.write(f"\nGPUFLEET {json.dumps(answer)}\n")
