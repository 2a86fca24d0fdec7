"""The module asks the parser of an environment: here a stand-in, laid out as vLLM has been over its releases."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_check_program as program
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_check import ensure

PARSER = """
import argparse, json, os, sys

class FlexibleArgumentParser(argparse.ArgumentParser):
    pass
"""
ARGUMENTS = """
import json, os, sys

def make_arg_parser(parser):
    {tag}
    parser.add_argument("--port", type=int)
    parser.add_argument("--runner", choices=["generate", "pooling"])
    parser.add_argument("--speculative-config", type=json.loads)
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("--hang", action="store_true")
    return parser

def validate_parsed_serve_args(args):
    print("the library talks on standard output")
    if args.tools:
        raise TypeError("--tools requires --tool-call-parser")
    if os.environ.get("VLLM_BAD"):
        raise ValueError("1 validation error\\n  share\\n  For further information visit https://example.com")
"""
LAYOUTS = {  # where the parser and its class were
    "0.6": ("entrypoints/openai", "utils", False),
    "0.25": ("entrypoints/openai", "utils/argparse_utils", True),
    "0.29": ("entrypoints/launchers", "utils/argparse_utils", True),
    "0.33": ("entrypoints/common", "utils/argparse_utils", True),
}
LLM = {"name": "llm", "argv": ["serve", "/srv/model", "--port", "8001"], "environment": {}}


class Host(ModuleSystem):
    """This machine, with a stand-in of vLLM before this Python's libraries."""

    def __init__(self, root: Path, layout: str = "0.33"):
        with patch_module_args({}):
            super().__init__(AnsibleModule({}))
        self.root = root
        self.ran: list[list[str]] = []
        place, parser, tag = LAYOUTS[layout]
        files = {
            "__init__.py": f"__version__ = '{layout}'\nprint('a banner')\n",
            "envs.py": "environment_variables = {'VLLM_USE_V1': None}\n",
            f"{place}/cli_args.py": ARGUMENTS.format(
                tag='parser.add_argument("model_tag", nargs="?")' if tag else "pass",
            ),
            f"{parser}.py" if "/" in parser else f"{parser}/__init__.py": PARSER,
        }
        for name, text in files.items():
            path = root / "vllm" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in (path.parent, *path.parent.parents):
                if folder == root:
                    break
                (folder / "__init__.py").touch()
            path.write_text(text)

    def run(self, argv, timeout=30, data=None, env=None):
        self.ran.append(list(argv))
        return super().run(argv, timeout, data, {**(env or {}), "PYTHONPATH": str(self.root)})

    def go(self, *lines, apply=True, **given):
        return ensure(
            {"python": sys.executable, "command_lines": list(lines), "timeout": 60, **given}, self, apply=apply
        )


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def line(name="llm", *argv, **environment):
    return {"name": name, "argv": ["serve", "/srv/model", *argv], "environment": environment}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_the_releases_is_found(tmp_path, layout):
    result = Host(tmp_path, layout).go(LLM, line("old", "--task", "embed"))
    assert result["version"] == layout and not result["ok"] and result["findings"]["llm"] == []
    (found,) = result["findings"]["old"]
    assert found["severity"] == "error" and found["code"] == "vllm_command_line"
    assert "Instance old" in found["text"] and "--task embed" in found["text"]
    assert found["source"] == f"parser of vLLM {layout}"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (line("x", "--port", "high"), "invalid int value: 'high'"),
        (line("x", "--runner", "embed"), "invalid choice: 'embed'"),
        (line("x", "--tools"), "TypeError: --tools requires --tool-call-parser"),
        (line("x", "--speculative-config", "{x"), "invalid loads value: '{x'"),
        (line("x", "--help"), "asks for help"),
        (line("x", VLLM_BAD="1"), "ValueError: 1 validation error share. Correct"),
    ],
)
def test_what_the_parser_refuses_is_told_and_the_others_are_judged_all_the_same(host, wrong, told):
    result = host.go(LLM, wrong, line("last"))
    assert told in result["findings"]["x"][0]["text"] and "For further" not in str(result)
    assert result["findings"]["llm"] == result["findings"]["last"] == [] and not result["ok"]


def test_the_word_serve_may_be_left_out(host):
    assert host.go({"name": "llm", "argv": ["/srv/model", "--port", "8001"], "environment": None})["ok"]


def test_a_variable_that_the_release_does_not_know_is_a_warning(host):
    result = host.go(line("llm", VLLM_USE_V1="1", VLLM_OLD="1", HF_HOME="/x"))
    (found,) = result["findings"]["llm"]
    assert result["ok"] and found["severity"] == "warning" and "knows no VLLM_OLD and" in found["text"]


def test_what_is_told_to_the_program_stands_on_no_command_line(host):
    host.go(line("llm", VLLM_API_KEY="s3cret"))
    assert "s3cret" not in json.dumps(host.ran) and "/srv/model" not in json.dumps(host.ran)


def test_nothing_is_asked_for_nothing_and_in_check_mode_before_the_installation(host):
    assert host.go()["asked"] is False and host.ran == []
    result = host.go(LLM, python="/nowhere/python", apply=False)
    assert result == {"changed": False, "version": None, "asked": False, "ok": True, "findings": {"llm": []}}
    assert host.go(LLM, apply=False)["asked"] is True


def test_an_environment_without_a_vllm_that_loads_is_a_failure(host):
    (host.root / "vllm/__init__.py").write_text("raise ImportError('libcudart.so.13: cannot open')")
    with pytest.raises(NvidiaError, match=r"no vLLM that can be asked: ImportError: libcudart\.so\.13"):
        host.go(LLM)
    (host.root / "vllm/__init__.py").write_text("import os; os._exit(3)")
    with pytest.raises(NvidiaError, match="ended with 3 before it answered: it said nothing"):
        host.go(LLM)
    with pytest.raises(NvidiaError, match="There is no /nowhere/python"):
        host.go(LLM, python="/nowhere/python")


@pytest.mark.parametrize(("given", "told"), [({"python": "python3"}, "whole path"), ({"timeout": 0}, "timeout is 0")])
def test_what_cannot_be_meant_is_refused(host, given, told):
    with pytest.raises(NvidiaError, match=told):
        host.go(LLM, **given)
    with pytest.raises(NvidiaError, match="names llm twice"):
        host.go(LLM, LLM)


@given(st.text(max_size=400))
def test_no_text_of_a_parser_breaks_the_reading(text):
    assert len(program.decisive(text)) <= 500 and "\n" not in program.brief(ValueError(text))


def test_the_cause_stands_behind_the_last_error():
    value = "Value {x cannot be converted to <function loads at 0x7f>."
    text = f"usage: vllm serve [x]\nvllm serve: error: argument --sc: {value}"
    assert program.decisive(text) == "argument --sc: Value {x cannot be converted to JSON."
