"""A stand-in for the parts of Hugging Face's and ModelScope's HTTP interface that fetch a model. It is neither of them.

    python -m tests.unit.hub_stand_in PORT FOLDER [--token T] [--slow BYTES_PER_SECOND]

serves FOLDER/OWNER/NAME/REVISION/... as models; a revision `main` may be a symbolic link to another.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")


def commit_of(folder: Path) -> str:
    return hashlib.sha1(folder.resolve().name.encode()).hexdigest()


class Server(ThreadingHTTPServer):
    """
    :param token: what must be shown, if anything
    :param speed: bytes a second, or 0
    :param cut: after how many bytes of a file the connection breaks, once
    """

    def __init__(self, port: int, root: Path, token: str | None = None, speed: int = 0, cut: int | None = None):
        super().__init__(("127.0.0.1", port), Hub)
        self.root, self.token, self.speed, self.cut = root, token, speed, cut
        self.requests: list[str] = []


class Hub(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def log_message(self, format, *args):
        self.server.requests.append(f"{self.command} {self.path}")

    def answer(self, body):
        address = urlsplit(unquote(self.path))
        wanted = parse_qs(address.query)
        shown = f"{self.headers.get('Authorization')} {self.headers.get('Cookie')}"
        if self.server.token and self.server.token not in shown:
            return self.refuse(401, "GatedRepo" if "/resolve/" in address.path else "RepoNotFound")
        rules = (
            (r"/api/models/([\w.-]+/[\w.-]+)(?:/revision/(.+))?", self.about),
            (r"/api/models/([\w.-]+/[\w.-]+)/tree/([^/]+)", self.tree),
            (r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", self.file),
            (r"/api/v1/models/([\w.-]+/[\w.-]+)/repo/files", self.listing),
            (r"/api/v1/models/([\w.-]+/[\w.-]+)/repo", self.file),
        )
        for pattern, reply in rules:
            match = re.fullmatch(pattern, address.path)
            if match:
                return reply(body, wanted, *match.groups())
        return self.refuse(404, "RepoNotFound")

    def folder(self, name, revision):
        """Folder of a revision, which may be named by its commit; a sentence of refusal is sent when there is none."""
        model = self.server.root / name
        if not model.is_dir():
            return self.refuse(404, "RepoNotFound")
        for one in model.iterdir():
            if revision in (one.name, commit_of(one)):
                return one.resolve()
        return self.refuse(404, "RevisionNotFound")

    def about(self, body, wanted, name, revision):
        folder = self.folder(name, revision or "main")
        if folder:
            self.json(
                body,
                {"id": name, "sha": commit_of(folder), "siblings": [self.sibling(folder, p) for p in files(folder)]},
            )

    def tree(self, body, wanted, name, revision):
        folder = self.folder(name, revision)
        if folder:
            rows = [self.sibling(folder, path) for path in files(folder)]
            for row in rows:
                row.update({"type": "file", "path": row.pop("rfilename"), "oid": row.pop("blobId")})
                if "lfs" in row:
                    row["lfs"]["oid"] = row["lfs"].pop("sha256")
            self.json(body, rows)

    def sibling(self, folder, path):
        row = {"rfilename": str(path.relative_to(folder)), "size": path.stat().st_size, "blobId": blob(path)}
        if path.suffix in LARGE:
            row["lfs"] = {"sha256": digest(path), "size": path.stat().st_size, "pointerSize": 134}
        return row

    def listing(self, body, wanted, name):
        folder = self.folder(name, wanted.get("Revision", ["main"])[0].replace("master", "main"))
        if folder:
            rows = [
                {"Path": str(p.relative_to(folder)), "Name": p.name, "Size": p.stat().st_size, "Type": "blob",
                 "Sha256": digest(p), "Revision": commit_of(folder), "CommittedDate": 1}
                for p in files(folder)
            ]  # fmt: skip
            self.json(body, {"Code": 200, "Success": True, "Message": "", "Data": {"Files": rows}})

    def file(self, body, wanted, name, revision=None, path=None):
        revision = revision or wanted.get("Revision", ["main"])[0].replace("master", "main")
        path = path or wanted.get("FilePath", [""])[0]
        folder = self.folder(name, revision)
        if folder is None:
            return None
        found = folder / path
        if not found.is_file():
            return self.refuse(404, "EntryNotFound")
        data, start = found.read_bytes(), 0
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        end = len(data)
        if match:
            start, end = int(match[1]), int(match[2]) + 1 if match[2] else len(data)
        self.send_response(206 if match else 200)
        self.send_header("ETag", f'"{digest(found) if found.suffix in LARGE else blob(found)}"')
        self.send_header("X-Repo-Commit", commit_of(folder))
        self.send_header("Accept-Ranges", "bytes")
        if match:
            self.send_header("Content-Range", f"bytes {start}-{min(end, len(data)) - 1}/{len(data)}")
        self.send_header("Content-Length", str(min(end, len(data)) - start))
        self.end_headers()
        if body:
            self.slowly(data[start:end])
        return None

    def slowly(self, data):
        """Sends at the server's speed, and breaks off once after `cut` bytes."""
        for place in range(0, len(data), 1 << 16):
            piece = data[place : place + (1 << 16)]
            if self.server.cut is not None and place >= self.server.cut:
                self.server.cut = None
                self.close_connection = True
                return
            self.wfile.write(piece)
            if self.server.speed:
                time.sleep(len(piece) / self.server.speed)

    def json(self, body, data):
        text = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if body:
            self.wfile.write(text)

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def blob(path: Path) -> str:
    """The name that git gives the content."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("root", type=Path)
    parser.add_argument("--token")
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--cut", type=int)
    given = parser.parse_args()
    Server(given.port, given.root, given.token, given.slow, given.cut).serve_forever()
