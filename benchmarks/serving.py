"""How near `memreason serve` comes to the engine without a network, how long clients wait, and what they leave behind.

    python benchmarks/serving.py runs/demo                 # about ten minutes on two cores

1. Throughput: the engine answers the questions of the checkpoint's dataset (their lengths are mixed) in one process;
   then a server answers the same questions to 64 clients, each of which sends the next one when it has an answer.
   Prints questions a second of both, and the share. The engine is measured before and after the server.
2. Waiting: the same with streams; prints the median and the 99th percentile of the times to the first and the last
   token, in seconds.
3. Hanging up: 1,000 clients read a few chunks of a stream and hang up. Prints which answers are waiting and under way
   afterwards, and the server's memory before and after.

Clients and server share the machine's cores, so the share is a lower bound of what a server has for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import psutil

SLOTS = 64


def questions_of(checkpoint: Path, count: int) -> list[dict[str, Any]]:
    """Questions of the checkpoint's dataset with their options, shuffled, and repeated if there are too few."""
    from memreason.config.run import read_config
    from memreason.tasks.load import load_data

    splits = load_data(read_config(checkpoint).data).splits.values()
    rows = [{"text": s.question.text, "options": list(s.question.options)} for split in splits for s in split]
    random.Random(0).shuffle(rows)
    return list(itertools.islice(itertools.cycle(rows), count))


def offline(checkpoint: Path, questions: list[dict[str, Any]]) -> float:
    """Questions a second of the engine alone, in a process of its own; the model is prepared before."""
    command = [sys.executable, __file__, str(checkpoint), "--offline"]
    answer = subprocess.run(command, input=json.dumps(questions), check=True, stdout=subprocess.PIPE, text=True)
    return float(answer.stdout.splitlines()[-1])


def measure_offline(checkpoint: Path) -> None:
    """The child of `offline`."""
    from memreason import load
    from memreason.generation.engine import Engine, Request
    from memreason.generation.options import GenerationOptions
    from memreason.records import Question

    rows = json.load(sys.stdin)
    reasoner = load(checkpoint)
    engine = Engine(reasoner.unit, GenerationOptions(SLOTS, use_calculator=reasoner.use_calculator))
    requests = [Request(Question("q", row["text"], "", tuple(row["options"]))) for row in rows]
    with engine:
        for part in (requests[:SLOTS], requests):
            start = time.perf_counter()
            for request in part:
                engine.submit(request)
            engine.run()
            seconds = time.perf_counter() - start
    print(len(requests) / seconds)


@contextmanager
def serving(checkpoint: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A server in a process of its own, and its address."""
    command = [sys.executable, "-m", "memreason", "serve", str(checkpoint), "--port", "0", "--batch_size", str(SLOTS)]
    process = subprocess.Popen([*command, "--served_model_name", "model"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = re.findall(r"http\S+", process.stdout.readline())[-1]
        yield psutil.Process(process.pid), address
    finally:
        process.terminate()
        process.wait()


def body_of(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request for a question."""
    options = {"options": row["options"]} if row["options"] else {}
    return {"model": "model", "messages": [{"role": "user", "content": row["text"]}], **options, **more}


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client with as many connections as wanted."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as each:
        yield each


async def closed_loop(address: str, questions: list[dict[str, Any]], clients: int) -> float:
    """Questions a second of a server, asked by ``clients`` at once."""
    left = iter(questions[:clients])

    async def work(client: aiohttp.ClientSession) -> None:
        for row in left:
            async with client.post(f"{address}/chat/completions", json=body_of(row)) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    async with session() as client:
        await asyncio.gather(*(work(client) for _ in range(clients)))  # prepares the connections
        left = iter(questions)
        start = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(clients)))
        return len(questions) / (time.perf_counter() - start)


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
                body = body_of(row, stream=number % 4 > 0, n=1 + number % 3, temperature=1.0)
                request = client.post(f"{address}/chat/completions", json=body)
                try:
                    answer = await asyncio.wait_for(request, 0.05 if number % 4 == 0 else None)
                except TimeoutError:
                    continue
                for _ in range(number % 20):
                    await answer.content.readline()
                answer.close()

    await asyncio.gather(*(work() for _ in range(clients)))


async def idle(address: str) -> dict[str, float]:
    """The numbers of answers by /metrics, once nothing changes any more."""
    async with session() as client:
        for _ in range(100):
            await asyncio.sleep(0.1)
            async with client.get(address.removesuffix("/v1") + "/metrics") as answer:
                page = await answer.text()
            counts = {name: float(value) for name, value in re.findall(r"^memreason_(answers\S*) (\S+)$", page, re.M)}
            counts = {name: value for name, value in counts.items() if "created" not in name}
            if not counts["answers_waiting"] and not counts["answers_under_way"]:
                break
    return counts


def shown(seconds: list[float]) -> str:
    """Median and 99th percentile."""
    cuts = quantiles(seconds, n=100)
    return f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s"


def main() -> None:
    """All three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--questions", type=int, default=512, help="questions of parts 1 and 2")
    parser.add_argument("--clients", type=int, default=64, help="clients at once")
    parser.add_argument("--hang_ups", type=int, default=1000, help="clients of part 3")
    parser.add_argument("--offline", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.offline:
        measure_offline(arguments.checkpoint)
        return
    questions = questions_of(arguments.checkpoint, max(arguments.questions, arguments.hang_ups))
    some = questions[: arguments.questions]
    before = offline(arguments.checkpoint, some)
    with serving(arguments.checkpoint) as (process, address):
        rate = asyncio.run(closed_loop(address, some, arguments.clients))
        firsts, lasts = asyncio.run(waits(address, some, arguments.clients))
        asyncio.run(hang_up(address, questions[: arguments.hang_ups // 5], arguments.clients))  # fills caches
        asyncio.run(idle(address))
        memory = [process.memory_info().rss / 2**20]
        for _ in range(2):
            asyncio.run(hang_up(address, questions[: arguments.hang_ups], arguments.clients))
            counts = asyncio.run(idle(address))
            memory.append(process.memory_info().rss / 2**20)
    after = offline(arguments.checkpoint, some)
    print(f"engine alone: {before:.2f} and {after:.2f} questions/s; served to {arguments.clients} clients: {rate:.2f}")
    print(f"share: {100 * rate / ((before + after) / 2):.1f}%")
    print(f"first token: {shown(firsts)}; last token: {shown(lasts)}")
    print(f"after {arguments.hang_ups} hang-ups, and again so many: {counts}")
    print(f"memory of the server: {', '.join(f'{each:.0f} MiB' for each in memory)}")


if __name__ == "__main__":
    main()
