"""How long the page of `memreason web` waits for the traces of a large evaluation.

    python benchmarks/browsing.py                # 10,000 synthetic traces, half a minute

Writes two files of synthetic traces, serves them over HTTP as `memreason web` does (without a model), and prints the
milliseconds from a request to the end of its answer: the first page while nothing has been read, and then medians over
repeated requests. Also the memory that the index takes.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import tempfile
import threading
import time
import tracemalloc
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from memreason.evaluation.statistics import wilson
from memreason.serving.browse.index import TraceIndex
from memreason.serving.browse.library import Library
from memreason.serving.browse.routes import PAGE, browse_router

FAMILIES = ("area", "border", "capital", "continent", "currency", "language")
CAUSES = ("false_memory", "wrong_inference", "missing_memory", "both")


def write_traces(path: Path, n: int, seed: int) -> None:
    """Traces of three steps about made-up countries; about half of their answers are right. The questions do not depend
    on the seed."""
    draw = random.Random(0)
    names = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)).capitalize() for _ in range(200)]
    draw.seed(seed)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(n):
            one, other = names[number % 200], names[number // 200 % 200]
            right = draw.random() < 0.5
            steps = [
                {"type": "memory", "text": f"The area of {one} is about {draw.randrange(10_000)} square kilometres."},
                {"type": "memory", "text": f"The area of {other} is about {draw.randrange(10_000)} square kilometres."},
                {"type": "reason", "text": f"{one} has more area than {other}, so the answer is {right}."},
            ]
            written = "\n".join(f"<prefix_0><{step['type']}_0> {step['text']}" for step in steps)
            row = {
                "id": f"atlas-test-{FAMILIES[number % 6]}-{number:06d}", "options": [], "dataset": "atlas",
                "split": "test", "question": f"Does {one} have more area than {other}? ({number})", "gold": "True",
                "generated_text": f"{written}\n<prefix_0><answer_0> The answer is: {right}", "steps": steps,
                "answer": str(right), "strict": str(right), "flexible": str(right),
                "outcome": "correct" if right else "incorrect", "flexible_outcome": "correct" if right else "incorrect",
                "well_formed": True, "truncated": False, "step_truth": [True, True, right, True],
                "cause": None if right else draw.choice(CAUSES), "step_kinds": ["memory", "memory", "reason"],
                "grounds": "sound" if right else None, "step_logprobs": [-draw.random() for _ in range(4)],
            }  # fmt: skip
            file.write(json.dumps(row) + "\n")


def served(library: Library) -> tuple[uvicorn.Server, str]:
    """A server for the library, and its address."""
    app = FastAPI()
    app.include_router(browse_router(library))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return server, f"http://127.0.0.1:{listener.getsockname()[1]}/web/api/"


class Took(NamedTuple):
    """Milliseconds by the clock, and in processor time of this process, which other programs disturb less."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.0f} ms ({self.processor:.0f} ms processor)"


def timed(work: Callable[[], object], repeats: int = 1) -> Took:
    """Medians of how long the work takes, client included."""
    took = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        took.append(Took(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return Took(median(each.wall for each in took), median(each.processor for each in took))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    wilson(1, 2)  # loads scipy, which `memreason web` does while the model is loaded
    with tempfile.TemporaryDirectory() as name:
        left, right = Path(name) / "left.jsonl", Path(name) / "right.jsonl"
        for seed, path in enumerate((left, right)):
            write_traces(path, arguments.traces, seed)
        print(f"{arguments.traces} traces, {left.stat().st_size / 1e6:.1f} MB")
        server, address = served(Library([left, right]))

        def get(path: str) -> dict[str, object]:
            with urllib.request.urlopen(address + path) as response:
                return dict(json.load(response))

        def first() -> None:
            get("runs/left.jsonl")
            get("traces/left.jsonl")

        print(f"  first page, nothing read before: {timed(first)}")
        beside = "compare?left=left.jsonl&right=right.jsonl"
        print(f"  two runs side by side, the second not read before: {timed(lambda: get(beside))}")
        requests = {
            "figures": "runs/left.jsonl",
            "first page": "traces/left.jsonl",
            "last page": f"traces/left.jsonl?page={-(-arguments.traces // PAGE)}",
            "filter": "traces/left.jsonl?cause=false_memory&family=area",
            "search": "traces/left.jsonl?q=square+999",
            "two runs side by side": beside,
            "two runs side by side, filter": f"{beside}&change=both_wrong",
        }
        for what, request in requests.items():
            print(f"  {what}: {timed(partial(get, request), arguments.repeats)}")
        server.should_exit = True
        tracemalloc.start()
        index = TraceIndex(left)
        used, _ = tracemalloc.get_traced_memory()
        print(f"  memory of an index: {used / 1e6:.0f} MB, {used / len(index):.0f} bytes a trace")


if __name__ == "__main__":
    main()
