"""The fast gates: unit and contract tests, linters, types, ansible-test sanity and a build of the collection."""

from __future__ import annotations

import sys

from tools.steps import ROOT, Step, run_all

PYTHON = sys.executable


def steps() -> list[Step]:
    return [
        Step(
            "unit and contract tests",
            [PYTHON, "-m", "pytest", "-q", "--numprocesses", "auto", "--dist", "worksteal", "tests/unit"],
        ),
        Step("job templates", [PYTHON, "-m", "pytest", "-q", "tests/awx"]),
        Step("ruff", ["ruff", "check", "."]),
        Step("mypy", ["mypy", "tools", "tests", "plugins"]),
        Step("ansible-lint", ["ansible-lint", "--offline", "--strict"]),
        Step("ansible-test sanity", [PYTHON, "-m", "tools.sanity"]),
        Step(
            "collection build",
            ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(ROOT / "dist"), str(ROOT)],
        ),
    ]


if __name__ == "__main__":
    sys.exit(run_all(steps()))
