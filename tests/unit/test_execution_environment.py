"""What AWX runs the playbooks in: the image's description is complete, and holds only what the collection needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLACES = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
BUILDER = shutil.which("ansible-builder", path=PLACES)

with_builder = pytest.mark.skipif(BUILDER is None, reason="ansible-builder is not installed")


def load(path: str):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8").splitlines()
    return [line for line in text if line and not line.startswith("#")]


def builder(*words: str, cwd: Path) -> str:
    assert BUILDER
    done = subprocess.run([BUILDER, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_image_gets_the_collection_of_this_version():
    galaxy, image = load("galaxy.yml"), load("execution-environment.yml")
    archive = f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    (file,) = image["additional_build_files"]
    (collection,) = image["dependencies"]["galaxy"]["collections"]
    assert Path(file["src"]).name == archive
    assert collection["name"] == f"{file['dest']}/{archive}"


def test_the_image_has_the_ansible_core_that_a_checkout_gets():
    core = load("execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
    assert core in lines(ROOT / "tools" / "requirements-site.txt")


def test_the_image_has_the_python_packages_that_a_checkout_gets():
    own = lines(ROOT / "requirements.txt")
    site = lines(ROOT / "tools" / "requirements-site.txt")
    # ansible-core brings PyYAML itself
    assert own == [line for line in site if not line.startswith(("ansible-core", "pyyaml"))]


def test_every_package_of_the_image_is_imported_on_the_controller():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / "plugin_utils").glob("*.py"))
    for line in lines(ROOT / "requirements.txt"):
        assert line.split(">")[0] in text


@with_builder
def test_ansible_builder_makes_the_whole_context(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "gpufleet-nvidia-0.1.0.tar.gz").touch()
    shutil.copy(ROOT / "execution-environment.yml", tmp_path)
    words = ("create", "-f", "execution-environment.yml", "-c", "context", "--output-filename", "Containerfile")
    builder(*words, cwd=tmp_path)
    text = (tmp_path / "context" / "Containerfile").read_text(encoding="utf-8")
    assert (tmp_path / "context/_build/collections/gpufleet-nvidia-0.1.0.tar.gz").is_file()
    assert "python3.12" in text and "ansible-core>=2.19,<2.22" in text and "ansible-runner>=2.4,<3" in text


@with_builder
def test_ansible_builder_finds_what_the_collection_needs(tmp_path):
    tree = tmp_path / "ansible_collections" / "gpufleet" / "nvidia"
    (tree / "meta").mkdir(parents=True)
    for name in ("galaxy.yml", "requirements.txt", "bindep.txt", "meta/execution-environment.yml"):
        shutil.copy(ROOT / name, tree / name)
    found = yaml.safe_load(builder("introspect", str(tmp_path), cwd=tmp_path))
    assert [line.split(">")[0] for line in found["python"]] == ["pexpect", "pyte"]
    assert [line.split()[0] for line in found["system"]] == ["openssh-clients", "openssh-client"]
