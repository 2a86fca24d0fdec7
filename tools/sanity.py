"""Runs `ansible-test sanity`, after giving it what it cannot find by itself.

It wants its working folder to be a real ``ansible_collections/NAMESPACE/NAME``, Pythons without a version manager's
shims in between, and a script that installs pip, which it would download.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.steps import ROOT

TREE = ROOT / ".cache" / "sanity" / "ansible_collections" / "gpufleet" / "nvidia"
PYTHONS = ROOT / ".cache" / "pythons"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
# ensurepip carries the same pip, so nothing has to be downloaded for a start.
GET_PIP = '''"""Installs pip into the interpreter that runs this, from the wheel that Python itself carries."""
import subprocess
import sys

packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
for command in (["ensurepip", "--default-pip"], ["pip", "install", *packages]):
    subprocess.run([sys.executable, "-I", "-m", *command], check=True, stdout=subprocess.DEVNULL)
'''


def copy_tree() -> None:
    """Copies what git tracks, or would track, to TREE."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, names):
        source, target = ROOT / name, TREE / name
        if not name.startswith("collections/") and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    # ansible-test asks git what there is to test; to this checkout's own git the copy is an ignored folder
    subprocess.run(["git", "init", "--quiet"], cwd=TREE, check=True)
    subprocess.run(["git", "add", "--all"], cwd=TREE, check=True)


def place_get_pip() -> None:
    """Puts GET_PIP where ansible-test keeps its download; the file's name holds the pip version that it asks for."""
    from ansible_test._internal import python_requirements

    source = Path(python_requirements.__file__).read_text(encoding="utf-8")
    wanted = re.search(r"""default_packages = dict\(\s*pip=['"]([\d.]+)""", source)
    version = wanted[1] if wanted else "25.2"
    script = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(GET_PIP, encoding="utf-8")


def works(python: str) -> bool:
    probe = [python, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def link_pythons() -> None:
    """Fills PYTHONS with links to every supported Python of this machine that really starts."""
    PYTHONS.mkdir(parents=True, exist_ok=True)
    managed = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    for version in VERSIONS:
        link = PYTHONS / f"python{version}"
        places = [*glob.glob(f"{managed}/versions/{version}.*/bin"), *SYSTEM_PATH.split(":")]
        found = next(
            (p for p in (f"{folder}/python{version}" for folder in places) if os.path.exists(p) and works(p)), None
        )
        link.unlink(missing_ok=True)
        if found:
            link.symlink_to(found)


def main() -> int:
    copy_tree()
    place_get_pip()
    link_pythons()
    env = {
        **os.environ,
        "PATH": f"{PYTHONS}:{Path(sys.executable).parent}:{SYSTEM_PATH}",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        ["ansible-test", "sanity", "--local", "--color", "no"], cwd=TREE, env=env, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
