"""A stand-in of NVIDIA's package repository: a signed archive with packages of NVIDIA's names; README.md tells more."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

from tests.lab.console import run
from tests.lab.image import locked
from tests.lab.places import CACHE
from tests.lab.repository_stand_in.packages import Package, packages

HERE = Path(__file__).resolve().parent
STORE = CACHE / "repository-stand-in"
KEY_FILES = {"debian12": "3bf863cc.pub", "debian13": "8793F200.pub"}
WHO = "Stand-in of NVIDIA's repository <stand-in@example.org>"


def digest() -> str:
    """Gives a name for everything that the stand-in is made of."""
    sources = [*sorted(HERE.glob("*.py")), *sorted((HERE.parent / "runfile_stand_ins").glob("*_stand_in.c"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def provide() -> dict[str, Any]:
    """Makes the repository, unless it has been made from the same sources: ``{archive, fingerprint, folders}``."""
    done = STORE / digest()
    with locked(STORE / "lock", "repository stand-in: another lab is making it, waiting"):
        if not done.exists():
            work = STORE / "work"
            shutil.rmtree(work, ignore_errors=True)
            (work / "gnupg").mkdir(parents=True, mode=0o700)
            fingerprint = make(work)
            (work / "fingerprint").write_text(fingerprint)
            shutil.rmtree(work / "gnupg")
            work.rename(done)
    fingerprint = (done / "fingerprint").read_text()
    return {"archive": str(done / "repository.tar.gz"), "fingerprint": fingerprint, "folders": sorted(KEY_FILES)}


def make(work: Path) -> str:
    """Builds everything in a folder and gives the key's fingerprint."""
    gpg: list[str | Path] = ["gpg", "--homedir", work / "gnupg", "--batch", "--quiet"]
    run([*gpg, "--passphrase", "", "--quick-gen-key", WHO, "rsa3072", "sign", "never"])
    listing = run([*gpg, "--with-colons", "--list-keys"])
    fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
    key = run([*gpg, "--armor", "--export", fingerprint])
    flat = work / "x86_64"
    flat.mkdir()
    index = "\n".join(build(package, work / "tree", flat) for package in packages(run))
    (flat / "Packages").write_text(index)
    (flat / "Release").write_text(release(flat / "Packages"))
    run([*gpg, "--clearsign", "--output", flat / "InRelease", flat / "Release"])
    with tarfile.open(work / "repository.tar.gz", "w:gz") as archive:
        for folder, file in KEY_FILES.items():
            (flat / file).write_text(key)
            archive.add(flat, f"{folder}/x86_64")
    return fingerprint


def build(package: Package, tree: Path, target: Path) -> str:
    """Makes one package and gives its paragraph of the index."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    package.fill(tree, package.version.split("-")[0])
    (tree / "DEBIAN").mkdir(exist_ok=True)
    control = [f"Package: {package.name}", f"Source: {package.source}", f"Version: {package.version}"]
    control += ["Architecture: amd64", "Maintainer: stand-in <stand-in@example.org>", "Priority: optional"]
    control += [f"Depends: {package.depends}"] if package.depends else []
    text = "\n".join(control) + f"\n{package.fields}Description: stand-in for NVIDIA's {package.name}\n"
    (tree / "DEBIAN/control").write_text(text)
    file = target / f"{package.name}_{package.version}_amd64.deb"
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, file])
    data = file.read_bytes()
    place = f"Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
    shutil.rmtree(tree)
    return text + place


def release(index: Path) -> str:
    data = index.read_bytes()
    lines = ["Origin: stand-in", "Label: stand-in of NVIDIA's repository", "Architectures: amd64"]
    lines += [f"Date: {formatdate(time.time(), usegmt=True)}", "SHA256:"]
    return "\n".join(lines) + f"\n {hashlib.sha256(data).hexdigest()} {len(data)} Packages\n"
