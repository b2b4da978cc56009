"""How near `memreason serve` comes to the engine without a network, how long clients wait, and what they leave behind.

    python benchmarks/serving.py runs/demo                 # about ten minutes on two cores

1. Throughput: a server answers the questions of the checkpoint's dataset (of mixed lengths) to 64 clients, each of
   which sends the next one when it has an answer; in turn with that, the same engine gets the same questions at once,
   without HTTP. Prints questions a second of both, in each round, and the share of all rounds, by the clock and in
   processor time of the server's process, which other programs disturb less.
2. Waiting: the same clients with streams; prints the median and the 99th percentile of the seconds to the first text
   and to the last token.
3. Hanging up: 1,000 clients ask, every fourth for a whole answer and the others for a stream, and hang up half-way.
   Prints which answers are waiting and under way afterwards, and the server's memory before and after.

The clients are a process of their own, but share the machine's cores with the server: alone, it has a larger share.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from statistics import quantiles
from threading import Thread
from typing import Any, NamedTuple

import aiohttp
import psutil

from memreason.config.run import read_config
from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.records import Question
from memreason.serving.config import ServeConfig
from memreason.serving.server import Server
from memreason.tasks.load import load_data

SLOTS = 64


def questions_of(checkpoint: Path, count: int) -> list[dict[str, Any]]:
    """Questions of the checkpoint's dataset with their options, shuffled, and repeated if there are too few."""
    splits = load_data(read_config(checkpoint).data).splits.values()
    rows = [{"text": s.question.text, "options": list(s.question.options)} for split in splits for s in split]
    random.Random(0).shuffle(rows)
    return list(itertools.islice(itertools.cycle(rows), count))


class Seconds(NamedTuple):
    """How long the answers to all questions took, by the clock and in processor time of the server's process."""

    wall: float
    processor: float

    def shown(self, questions: int) -> str:
        """As text."""
        return f"{questions / self.wall:.2f} questions/s, {1000 * self.processor / questions:.0f} ms processor each"


def timed(work: Callable[[], float]) -> Seconds:
    """Do the work, which returns the seconds it took by the clock."""
    start = time.process_time()
    wall = work()
    return Seconds(wall, time.process_time() - start)


def offline(engine: Engine, questions: list[dict[str, Any]]) -> float:
    """Seconds that the engine takes, whose thread is running."""
    start = time.perf_counter()
    handles = [engine.submit(Request(Question("q", row["text"], "", tuple(row["options"])))) for row in questions]
    for handle in handles:
        handle.wait()
    return time.perf_counter() - start


@contextmanager
def serving(checkpoint: Path) -> Iterator[tuple[Server, str]]:
    """A server in this process, and its address."""
    addresses: SimpleQueue[str] = SimpleQueue()
    config = ServeConfig(str(checkpoint), served_model_name="model", batch_size=SLOTS)
    server = Server(config, on_ready=addresses.put)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield server, addresses.get(timeout=300)
        finally:
            server.should_exit = True
            thread.join()


def clients(part: str, address: str, questions: list[dict[str, Any]], count: int) -> Any:
    """What ``count`` clients measure in ``part``, in a process of their own."""
    command = [sys.executable, __file__, address, "--part", part, "--clients", str(count)]
    done = subprocess.run(command, input=json.dumps(questions), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def body_of(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request for a question."""
    options = {"options": row["options"]} if row["options"] else {}
    return {"model": "model", "messages": [{"role": "user", "content": row["text"]}], **options, **more}


def session() -> aiohttp.ClientSession:
    """A client with as many connections as wanted."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def closed_loop(address: str, questions: list[dict[str, Any]], clients: int) -> float:
    """Seconds that a server takes, asked by ``clients`` at once."""
    left = iter(questions)

    async def connect(client: aiohttp.ClientSession) -> None:
        async with client.get(f"{address}/models") as answer:
            await answer.read()

    async def work(client: aiohttp.ClientSession) -> None:
        for row in left:
            async with client.post(f"{address}/chat/completions", json=body_of(row)) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    async with session() as client:
        await asyncio.gather(*(connect(client) for _ in range(clients)))
        start = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(clients)))
        return time.perf_counter() - start


async def waits(address: str, questions: list[dict[str, Any]], clients: int) -> tuple[list[float], list[float]]:
    """Seconds to the first and to the last token of each answer, asked for as streams."""
    left, firsts, lasts = iter(questions), [], []

    async def work(client: aiohttp.ClientSession) -> None:
        for row in left:
            start = time.perf_counter()
            async with client.post(f"{address}/chat/completions", json=body_of(row, stream=True)) as answer:
                chunks = 0
                async for line in answer.content:
                    chunks += line.startswith(b"data: {")
                    if chunks == 2:  # the first chunk comes before all tokens
                        firsts.append(time.perf_counter() - start)
                        chunks += 1
            lasts.append(time.perf_counter() - start)

    async with session() as client:
        await asyncio.gather(*(work(client) for _ in range(clients)))
    return firsts, lasts


async def hang_up(address: str, questions: list[dict[str, Any]], clients: int) -> None:
    """Every question is asked as a stream by a client of its own, which hangs up after some chunks."""
    left = iter(enumerate(questions))

    async def work() -> None:
        for number, row in left:
            async with session() as client:
                body = body_of(row, stream=number % 4 > 0, n=1 + number % 3, temperature=1.0, seed=number)
                request = client.post(f"{address}/chat/completions", json=body)
                try:
                    answer = await asyncio.wait_for(request, 0.05 if number % 4 == 0 else None)
                except TimeoutError:
                    continue
                for _ in range(number % 20):
                    await answer.content.readline()
                answer.close()

    await asyncio.gather(*(work() for _ in range(clients)))


def shown(seconds: list[float]) -> str:
    """Median and 99th percentile."""
    cuts = quantiles(seconds, n=100)
    return f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s"


def main() -> None:
    """All three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--questions", type=int, default=256, help="questions of a round of part 1, and of part 2")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of part 1")
    parser.add_argument("--clients", type=int, default=64, help="clients at once")
    parser.add_argument("--hang_ups", type=int, default=1000, help="clients of part 3")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        work = PARTS[options.part](options.checkpoint, json.load(sys.stdin), options.clients)
        print(json.dumps(asyncio.run(work)))
        return
    questions = questions_of(Path(options.checkpoint), max(options.questions, options.hang_ups))
    some = questions[: options.questions]
    process = psutil.Process()
    with serving(Path(options.checkpoint)) as (server, address):
        engine = server.service.engine
        offline(engine, some[:SLOTS])
        served: list[Seconds] = []
        alone: list[Seconds] = []
        for _ in range(options.rounds):
            served.append(timed(lambda: clients("ask", address, some, options.clients)))
            alone.append(timed(lambda: offline(engine, some)))
            print(f"served: {served[-1].shown(len(some))}; engine alone: {alone[-1].shown(len(some))}", flush=True)
        for name in ("wall", "processor"):
            share = sum(getattr(each, name) for each in alone) / sum(getattr(each, name) for each in served)
            print(f"share by {name} time: {100 * share:.1f}%", flush=True)
        firsts, lasts = clients("wait", address, some, options.clients)
        print(f"first text: {shown(firsts)}; last token: {shown(lasts)}", flush=True)
        clients("hang up", address, questions[: options.hang_ups // 5], options.clients)  # fills caches
        for _ in range(2):
            while engine.waiting or engine.under_way:
                time.sleep(0.1)
            before = process.memory_info().rss / 2**20
            clients("hang up", address, questions[: options.hang_ups], options.clients)
            time.sleep(1)
            print(
                f"after {options.hang_ups} hang-ups: {len(server.service.thread.jobs)} jobs, {engine.waiting} answers "
                f"waiting, {engine.under_way} under way; memory {process.memory_info().rss / 2**20 - before:+.1f} MiB"
            )
        print(*(line for line in server.service.metrics.page().decode().splitlines() if "answers_total{" in line))


PARTS = {"ask": closed_loop, "wait": waits, "hang up": hang_up}

if __name__ == "__main__":
    main()
