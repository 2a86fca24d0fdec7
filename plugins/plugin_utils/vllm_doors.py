# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Front doors for vLLM servers: files for the distribution's nginx, and what is wrong with what was asked for.

The key of a server guards the routes below /v1 in every release, and others in some. A door passes on those alone;
/score and /rerank reach their guarded twins below /v1.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_rows import rows_of

SOURCE = "vllm_serve_doors"
HEAD = "# Managed by Ansible (gpufleet.nvidia.vllm_serve); changes are overwritten.\n"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
ROUTE = re.compile(r"/[A-Za-z0-9/_.-]*")
PLAIN = re.compile(r"[A-Za-z0-9_.:\[\]/*~-]+")
TWINS = ("score", "rerank")
Findings = list[dict[str, str]]

SERVER = """\
upstream vllm_{name} {{
    least_conn;
{upstreams}    keepalive 32;
}}
server {{
    listen {listen};
    server_name {server_name};
{tls}    client_max_body_size {body_mib}m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffering off;
    proxy_connect_timeout 5s;
    proxy_read_timeout {timeout}s;
    proxy_send_timeout {timeout}s;
    proxy_next_upstream error timeout http_502 http_503;
    location = /health {{ proxy_pass {scheme}://vllm_{name}; }}
    location /v1/ {{ proxy_pass {scheme}://vllm_{name}; }}
{routes}    location / {{ return 404; }}
}}
"""


def vllm_doors(
    plan: dict[str, Any],
    doors: Any,
    seen: dict[str, str] | None = None,
    folder: str = "/etc/nginx/conf.d",
    leaving: list[str] | None = None,
) -> dict[str, Any]:
    """``{files, passing, findings, idle}``; *files* for the module managed_files, with those that are to go.

    ``passing``: the doors that are on the host and have some server that is about to end, as they are meanwhile.

    :param seen: ``{path: SHA-256}`` of the doors that are on the host
    :param leaving: instances that are about to end, for good or to start anew
    """
    seen = seen or {}
    findings: Findings = []
    rows, wrong = rows_of(doors if plan["state"] == "present" else [], SOURCE)
    findings += wrong
    texts: dict[str, str] = {}
    passing: dict[str, str] = {}
    for door in rows:
        found = _wrong(door, plan)
        findings += found
        path = f"{folder}/vllm-{door['name']}.conf"
        if path in texts:
            findings.append(error("vllm_door_twice", f"Two doors are called {door['name']}. Rename one.", SOURCE))
        if not found:
            texts[path] = _text(door, plan, [])
            if path in seen and _is_left(door, plan, seen[path] != _sum(texts[path]), leaving or []):
                passing[path] = _text(door, plan, leaving or [])
    files: list[dict[str, Any]] = [{"path": path, "content": text} for path, text in texts.items()]
    files += [{"path": path, "state": "absent"} for path in sorted(seen) if path not in texts]
    same = all(seen.get(path) == _sum(text) for path, text in texts.items())
    return {
        "files": files,
        "passing": [{"path": path, "content": text} for path, text in passing.items()],
        "findings": findings,
        "idle": same and len(files) == len(texts),
    }


def _behind(door: dict[str, Any], plan: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [row for row in plan["instances"] if row["state"] == "started" and not row.get("is_worker")]
    return [row for row in rows if door["served_name"] in row["served_names"]]


def _is_left(door: dict[str, Any], plan: dict[str, Any], is_other: bool, leaving: list[str]) -> bool:
    """Whether a server behind the door ends; of one that ends for good no more is known than that the door changes."""
    behind = {row["name"] for row in _behind(door, plan)}
    started = {row["name"] for row in plan["instances"] if row["state"] == "started"}
    return bool(behind & set(leaving)) or (is_other and bool(set(leaving) - started))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _place(row: dict[str, Any]) -> str:
    return str(row["url"].partition("://")[2])


def _wrong(door: dict[str, Any], plan: dict[str, Any]) -> Findings:
    label, found = f"Door {door['name']}", []
    if not NAME.fullmatch(door["name"]):
        text = f"{label}: the name becomes that of a file; small letters, digits, dashes and underscores. Change it."
        found.append(error("vllm_door_invalid", text, SOURCE))
    words = [door["listen"], door["server_name"], door["certificate"], door["certificate_key"], *door["upstreams"]]
    for word in [str(word) for word in words if word is not None]:
        if not PLAIN.fullmatch(word):
            text = f"{label}: {word!r} has letters that mean something to nginx. Correct it."
            found.append(error("vllm_door_invalid", text, SOURCE))
    for route in door["routes"]:
        if not ROUTE.fullmatch(str(route)):
            found.append(error("vllm_door_invalid", f"{label}: {route!r} is no path of a route. Correct it.", SOURCE))
    if bool(door["certificate"]) != bool(door["certificate_key"]):
        text = f"{label}: certificate and certificate_key go together. Set both, or neither."
        found.append(error("vllm_door_invalid", text, SOURCE))
    port = str(door["listen"]).rpartition(":")[2]
    taken = [row["name"] for row in plan["instances"] if str(row["port"]) == port]
    if taken:
        text = f"{label} listens on port {port}, which the instance {taken[0]} has. Take another one."
        found.append(error("vllm_door_port", text, SOURCE))
    if not _behind(door, plan) and not door["upstreams"]:
        names = sorted({name for row in plan["instances"] for name in row["served_names"]})
        text = f"{label}: no instance that runs here serves {door['served_name']}; served are {listed(names)}."
        found.append(error("vllm_door_without_server", f"{text} Correct served_name, or name upstreams.", SOURCE))
    return found


def _text(door: dict[str, Any], plan: dict[str, Any], leaving: list[str]) -> str:
    behind = _behind(door, plan)
    hosts = [*(_place(row) for row in behind), *map(str, door["upstreams"])]
    down = [_place(row) for row in behind if row["name"] in leaving]
    down = down if len(down) < len(hosts) else []
    scheme = behind[0]["url"].partition("://")[0] if behind else "http"
    # One server alone is never given up: a request that it refuses would otherwise close the door for all.
    care = " max_fails=0" if len(hosts) - len(down) == 1 else " max_fails=2 fail_timeout=10s"
    tls = ""
    if door["certificate"]:
        tls = f"    ssl_certificate {door['certificate']};\n    ssl_certificate_key {door['certificate_key']};\n"
    routes = [f"    location = {route} {{ proxy_pass {scheme}://vllm_{door['name']}; }}\n" for route in door["routes"]]
    if any(row["task"] in TWINS for row in behind):
        routes += [
            f"    location = /{twin} {{ proxy_pass {scheme}://vllm_{door['name']}/v1/{twin}; }}\n"
            for twin in TWINS
            if f"/{twin}" not in door["routes"]
        ]
    return HEAD + SERVER.format(
        name=door["name"],
        upstreams="".join(f"    server {host}{' down' if host in down else care};\n" for host in hosts),
        listen=f"{door['listen']} ssl" if door["certificate"] else door["listen"],
        server_name=door["server_name"],
        tls=tls,
        body_mib=int(door["body_mib"]),
        timeout=int(door["timeout"]),
        scheme=scheme,
        routes="".join(routes),
    )
