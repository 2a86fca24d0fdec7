"""A client of a front door or of a server, for the host: it asks, streams, and says what came of it as JSON.

client.py steady URL MODEL KEYFILE STOPFILE    asks and streams all the time until STOPFILE is there
client.py stream URL MODEL KEYFILE BEGUNFILE   one long stream; writes BEGUNFILE when its first tokens have come
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from pathlib import Path

LONG, SHORT = 3000, 200  # tokens: some seconds, and less than one
PAUSE = 0.5  # seconds between two requests: the host has to start servers meanwhile


class Client:
    def __init__(self, url: str, model: str, keyfile: str) -> None:
        self.url, self.model = url, model
        self.key = Path(keyfile).read_text(encoding="utf-8").strip("\n")

    def send(self, body: dict):
        told = json.dumps({"model": self.model, "prompt": "Hello", "ignore_eos": True, **body}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        return urllib.request.urlopen(urllib.request.Request(self.url, told, headers), timeout=300)

    def ask(self) -> str | None:
        """One short request; None: all of its answer came, else what was wrong."""
        try:
            with self.send({"max_tokens": 16}) as answer:
                found = json.load(answer)
        except (OSError, ValueError) as exc:
            return f"ask: {exc}"
        whole = found["usage"]["completion_tokens"] == 16 and found["choices"][0]["finish_reason"] == "length"
        return None if whole else f"ask: {json.dumps(found)[:200]}"

    def stream(self, tokens: int, begun: Path | None = None) -> dict:
        """One streamed request: how many tokens came, how it ended, and what was wrong."""
        seen = {"pieces": 0, "tokens": 0, "finish": None, "done": False, "wrong": None}
        try:
            body = {"max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}}
            with self.send(body) as answer:
                for line in answer:
                    text = line.decode().strip().removeprefix("data: ")
                    if text == "[DONE]":
                        seen["done"] = True
                    elif text:
                        self.note(json.loads(text), seen)
                    if begun and seen["pieces"] == 20:
                        begun.touch()
        except (OSError, ValueError) as exc:
            seen["wrong"] = f"stream: {exc}"
        if not seen["wrong"] and (seen["tokens"], seen["finish"], seen["done"]) != (tokens, "length", True):
            seen["wrong"] = f"stream: {json.dumps(seen)}"
        return seen

    @staticmethod
    def note(piece: dict, seen: dict) -> None:
        if "error" in piece:
            raise ValueError(json.dumps(piece))
        seen["pieces"] += 1
        seen["tokens"] = (piece.get("usage") or {}).get("completion_tokens", seen["tokens"])
        for choice in piece["choices"]:
            seen["finish"] = choice["finish_reason"] or seen["finish"]


def steady(client: Client, stop: Path) -> dict:
    count, wrong = {"asked": 0, "streamed": 0}, []

    def turn(kind: str, work) -> None:
        while not stop.exists():
            said = work()
            count[kind] += 1
            if said:
                wrong.append(f"{time.strftime('%T')} {said}")
            time.sleep(PAUSE)

    threads = [
        threading.Thread(target=turn, args=("asked", client.ask)),
        threading.Thread(target=turn, args=("streamed", lambda: client.stream(SHORT)["wrong"])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {**count, "failed": len(wrong), "wrong": wrong[:20]}


def main() -> None:
    kind, url, model, keyfile, sign = sys.argv[1:]
    client = Client(url, model, keyfile)
    print(json.dumps(steady(client, Path(sign)) if kind == "steady" else client.stream(LONG, Path(sign))))


if __name__ == "__main__":
    main()
