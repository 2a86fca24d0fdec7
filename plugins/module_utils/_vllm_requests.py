# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real request for each kind of server, and whether an answer to it is one."""

from __future__ import annotations

import json
import math

REQUESTS: dict[str, dict] = {  # route: body without the model
    "/v1/completions": {"prompt": "Hello", "max_tokens": 1, "temperature": 0},
    "/v1/embeddings": {"input": "Hello"},
    "/classify": {"input": "Hello"},
    "/score": {"text_1": "Hello", "text_2": "Good day"},
    "/rerank": {"query": "Hello", "documents": ["Good day", "Farewell"]},
    "/pooling": {"input": "Hello"},
}


def body_of(route, name):
    """The request as JSON."""
    return json.dumps({"model": name, **REQUESTS[route]})


def names_in(text):
    """The served names in an answer of ``/v1/models``; None where it is no such answer."""
    try:
        return [str(row["id"]) for row in json.loads(text)["data"]]
    except (ValueError, KeyError, TypeError):
        return None


def is_answer(route, text):
    """Whether a server did what the route is for: text, vectors of finite numbers, or scores."""
    try:
        found = json.loads(text)
        if route == "/v1/completions":
            return isinstance(found["choices"][0]["text"], str)
        if route == "/v1/embeddings":
            return are_numbers(found["data"][0]["embedding"])
        if route == "/classify":
            return are_numbers(found["data"][0]["probs"])
        if route == "/score":
            return are_numbers([found["data"][0]["score"]])
        if route == "/rerank":
            return are_numbers([row["relevance_score"] for row in found["results"]])
        return are_numbers(flat(found["data"][0]["data"]))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return False


def flat(rows):
    return [number for row in rows for number in flat(row)] if isinstance(rows, list) else [rows]


def are_numbers(values):
    """Whether there are some, all of them finite: a broken kernel answers NaN."""
    plain = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return bool(plain) and len(plain) == len(values) and all(math.isfinite(value) for value in plain)
