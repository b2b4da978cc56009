"""An OpenAI-compatible HTTP server for tests: the scripted agent answers, with latency and faults on demand.

    python -m memreason.llm.fake_server --latency 0.2 --faults 0.3

It answers /v1/chat/completions as the scripted agent does, accepts batches (/v1/files, /v1/batches),
and produces the faults of real servers as often as it is told to. Use it to try out a whole pipeline,
in tests, and in benchmarks. It listens on the loopback address only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from memreason.errors import UserError
from memreason.llm.scripted import scripted_reply

try:
    from aiohttp import web
except ImportError as error:  # pragma: no cover
    raise UserError("the scripted server needs the package aiohttp: pip install aiohttp") from error

TRANSPORT_FAULTS = ("429", "500", "drop", "stall", "broken_body")
"""Faults of the connection or the server."""
CONTENT_FAULTS = ("truncated_json", "wrong_schema", "empty")
"""Faults in the text of a reply."""
FAULTS = TRANSPORT_FAULTS + CONTENT_FAULTS


@dataclass
class ScriptedServer:
    """One server. ``faults`` is the share (0 to 1) of replies that are faults, drawn evenly from ``kinds``.

    The server waits ``latency`` seconds before every reply, and ``stall`` seconds more before a reply with the fault
    "stall". ``refuses`` names parameters that it answers with status 400; ``key`` is the only key that it accepts.
    ``reply(messages, form)`` gives the text of a reply. ``counts`` counts the answers so far ("requests", "ok", and
    each fault); ``bodies`` are the last ten request bodies.
    """

    latency: float = 0.0
    faults: float = 0.0
    kinds: tuple[str, ...] = FAULTS
    stall: float = 5.0
    refuses: tuple[str, ...] = ()
    key: str | None = None
    seed: int = 0
    reply: Callable[[list[dict[str, str]], str | None], str] = scripted_reply

    def __post_init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.in_flight = self.most_in_flight = 0
        self.polls_until_done = 1
        self._draw = random.Random(self.seed)
        self._files: dict[str, str] = {}
        self._batches: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    # ---- chat completions ----------------------------------------------------------------------

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        try:
            body = await request.json()
        except ConnectionError:  # the client is gone
            return web.Response()
        self.counts["requests"] += 1
        self.bodies = [*self.bodies[-9:], body]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
                message = f"Incorrect API key provided: {request.headers.get('Authorization')}"
                return _error(401, message, "invalid_api_key")
            fault = self._draw.choice(self.kinds) if self._draw.random() < self.faults else None
            return await self._answer(request, body, fault)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], fault: str | None) -> web.StreamResponse:
        self.counts[fault or "ok"] += 1
        if fault == "429":
            return _error(429, "slow down", "rate_limit_exceeded", {"Retry-After": "0.05"})
        if fault == "500":
            return _error(500, "something broke", "server_error")
        if fault == "drop":
            if request.transport:
                request.transport.close()
            return web.Response()
        if fault == "stall":
            await asyncio.sleep(self.stall)
        status, answer = self._completion(body, fault)
        if fault == "broken_body":
            return web.Response(text=json.dumps(answer)[:-40], content_type="application/json")
        return web.json_response(answer, status=status)

    def _completion(self, body: dict[str, Any], fault: str | None) -> tuple[int, dict[str, Any]]:
        for name in self.refuses:
            if name in body:
                message = f"Unsupported parameter: '{name}'."
                if name == "max_tokens":
                    message += " Use 'max_completion_tokens' instead."
                return 400, {"error": {"message": message, "type": "invalid_request_error", "param": name}}
        format_ = body.get("response_format") or {}
        text = self.reply(body["messages"], format_.get("json_schema", {}).get("name"))
        if fault == "truncated_json":
            text = text[: len(text) // 2]
        elif fault == "wrong_schema":
            text = json.dumps({"plan": "none", "confidence": 1})
        elif fault == "empty":
            text = ""
        prompt = sum(len(message["content"]) for message in body["messages"]) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": len(text) // 4}
        return 200, {
            "id": f"chatcmpl-{next(self._ids)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }

    # ---- batches -------------------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.Response:
        """POST /v1/files."""
        form = await request.post()
        field: Any = form["file"]
        id = f"file-{next(self._ids)}"
        self._files[id] = field.file.read().decode()
        return web.json_response({"id": id, "object": "file", "purpose": "batch", "filename": field.filename,
                                  "bytes": len(self._files[id]), "created_at": int(time.time())})  # fmt: skip

    async def download(self, request: web.Request) -> web.Response:
        """GET /v1/files/ID/content."""
        return web.Response(text=self._files[request.match_info["id"]])

    async def submit(self, request: web.Request) -> web.Response:
        """POST /v1/batches: makes all replies at once, but reports the batch done after `polls_until_done` polls."""
        body = await request.json()
        self.counts["batches"] += 1
        replies, errors = [], []
        for line in self._files[body["input_file_id"]].splitlines():
            row = json.loads(line)
            self.counts["batch_requests"] += 1
            fault = self._draw.choice(self.kinds) if self._draw.random() < self.faults else None
            if fault in TRANSPORT_FAULTS:
                errors.append({"custom_id": row["custom_id"], "error": {"code": "batch_expired", "message": fault}})
                continue
            status, answer = self._completion(row["body"], fault)
            replies.append({"custom_id": row["custom_id"], "response": {"status_code": status, "body": answer}})
        files = {}
        for name, rows in (("output_file_id", replies), ("error_file_id", errors)):
            if rows:
                files[name] = f"file-{next(self._ids)}"
                self._files[files[name]] = "".join(json.dumps(row) + "\n" for row in reversed(rows))
        id = f"batch_{next(self._ids)}"
        counts = {"total": len(replies) + len(errors), "completed": 0, "failed": 0}
        self._batches[id] = {**body, "id": id, "object": "batch", "created_at": int(time.time()),
                             "status": "in_progress", "polls": 0, "files": files, "request_counts": counts}  # fmt: skip
        return web.json_response(_shown(self._batches[id]))

    async def poll(self, request: web.Request) -> web.Response:
        """GET /v1/batches/ID."""
        batch = self._batches[request.match_info["id"]]
        batch["polls"] += 1
        if batch["polls"] >= self.polls_until_done:
            batch |= {"status": "completed", **batch["files"]}
            batch["request_counts"]["completed"] = batch["request_counts"]["total"]
        return web.json_response(_shown(batch))

    async def listing(self, request: web.Request) -> web.Response:
        """GET /v1/batches."""
        data = [_shown(batch) for batch in reversed(self._batches.values())]
        return web.json_response({"object": "list", "data": data, "has_more": False})

    # ---- running -------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=2**28)
        app.add_routes([
            web.post("/v1/chat/completions", self.chat), web.post("/v1/files", self.upload),
            web.get("/v1/files/{id}/content", self.download), web.post("/v1/batches", self.submit),
            web.get("/v1/batches", self.listing), web.get("/v1/batches/{id}", self.poll),
        ])  # fmt: skip
        return app

    @contextlib.contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """Serve from a thread of this process until the context ends; yields the base URL."""
        loop = asyncio.new_event_loop()
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", port)
        loop.run_until_complete(site.start())
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


def _shown(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in batch.items() if key not in ("polls", "files")}


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=headers)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m memreason.llm.fake_server", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--faults", type=float, default=0.0, help="share of replies that are faults, 0 to 1")
    arguments = parser.parse_args()
    server = ScriptedServer(arguments.latency, arguments.faults)
    print(f"memreason label … --planner scripted-model --base_url http://127.0.0.1:{arguments.port}/v1", flush=True)
    web.run_app(server.app(), host="127.0.0.1", port=arguments.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
