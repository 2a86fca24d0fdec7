"""A stand-in for AWX's interface: objects are kept in memory, found by their fields, changed and linked. No job runs.

It refuses what the real one refuses and the collection could get wrong: surveys that break the rules, playbooks that
the project does not have, and workflow nodes with an answer that their template does not ask for.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.awx.jobs import ROOT
from tests.unit.pattern_rules import broken_survey

Object = dict[str, Any]
STARTABLE = ("job_templates", "projects", "workflow_job_templates", "workflow_approval_templates")
LINKS = ("labels", "credentials", "survey_spec", "success_nodes", "failure_nodes", "always_nodes", "children", "hosts")
PROMPTS = {"limit": "ask_limit_on_launch", "job_slice_count": "ask_job_slice_count_on_launch"}


class Awx:
    def __init__(self) -> None:
        self.objects: dict[str, dict[int, Object]] = {}
        self.links: dict[str, list[int]] = {}
        self.surveys: dict[str, Object] = {}
        self.changes: list[str] = []
        self.lock = threading.Lock()
        self.count = 0

    def answer(self, method: str, path: str, query: dict[str, str], data: Object) -> tuple[int, Object | None]:
        if method != "GET":
            self.changes.append(f"{method} {path} {json.dumps(data)}")
        kind, *rest = path.strip("/").split("/")[2:] or [""]
        if not rest:
            return self._listing(kind, query) if method == "GET" else self._create(kind, data)
        found = self.objects.get(kind, {}).get(int(rest[0]) if rest[0].isdigit() else 0)
        if found is None:
            return 404, {"detail": "Not found."}
        if len(rest) == 1:
            if method == "PATCH":
                found.update(data)
            return 200, found
        return self._below(method, f"{kind}/{rest[0]}/{rest[1]}", found, data)

    def _listing(self, kind: str, query: dict[str, str]) -> tuple[int, Object]:
        kinds = STARTABLE if kind == "unified_job_templates" else (kind,)
        wanted = {key: value for key, value in query.items() if not key.startswith("or__") and key != "page_size"}
        either = {key.removeprefix("or__"): value for key, value in query.items() if key.startswith("or__")}
        rows = [
            row
            for name in kinds
            for row in self.objects.get(name, {}).values()
            if all(str(row.get(key)) == value for key, value in wanted.items())
            and (not either or any(str(row.get(key)) == value for key, value in either.items()))
        ]
        return 200, {"count": len(rows), "next": None, "results": rows}

    def _create(self, kind: str, data: Object) -> tuple[int, Object]:
        refused = self._refused(kind, data)
        if refused:
            return 400, {"detail": refused}
        self.count += 1
        url = f"/api/v2/{kind}/{self.count}/"
        related: Object = {name: f"{url}{name}/" for name in LINKS}
        made = {"type": kind[:-1], "scm_revision": "", **data, "id": self.count, "url": url, "summary_fields": {}}
        made["related"] = related
        self.objects.setdefault(kind, {})[self.count] = made
        return 201, made

    def _refused(self, kind: str, data: Object) -> str | None:
        if kind == "job_templates" and not (ROOT / data["playbook"]).is_file():
            return "Playbook not found for project."
        template = self.objects.get("job_templates", {}).get(data.get("unified_job_template", 0), {})
        if kind == "workflow_job_template_nodes":
            unasked = [key for key, asks in PROMPTS.items() if data.get(key) and not template.get(asks)]
            survey = self.surveys.get(f"job_templates/{template.get('id')}", {"spec": []})
            known = {row["variable"] for row in survey["spec"]}
            unasked += sorted(set(data.get("extra_data") or {}) - known)
            return f"{unasked}: Field is not configured to prompt on launch." if unasked else None
        return None

    def _below(self, method: str, at: str, found: Object, data: Object) -> tuple[int, Object | None]:
        owner, _slash, what = at.rpartition("/")
        if what == "survey_spec":
            if method == "GET":
                return 200, self.surveys.get(owner, {})
            broken = list(broken_survey(data))
            self.surveys[owner] = data
            return (400, {"error": broken}) if broken else (200, {})
        if what == "create_approval_template":
            status, made = self._create("workflow_approval_templates", data)
            found["related"]["unified_job_template"] = made["url"]
            return status, made
        linked = self.links.setdefault(at, [])
        if method == "GET":
            return 200, {"count": len(linked), "next": None, "results": [{"id": one} for one in linked]}
        (linked.remove if data.get("disassociate") else linked.append)(data["id"])
        return 204, None


def serve(awx: Awx) -> ThreadingHTTPServer:
    """A server on a free port of this machine, in a thread of its own; the caller ends it."""

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
            length = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(length) or b"{}") if self.command != "GET" else {}
            with awx.lock:
                status, body = awx.answer(self.command, parts.path, query, data)
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(text)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = handle_request

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
