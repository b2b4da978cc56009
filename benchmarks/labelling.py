"""How near `memreason label` comes to what an endpoint's latency allows, and what volume costs.

    python benchmarks/labelling.py                 # about four minutes

1. Throughput: against a server with 200 ms latency in a process of its own, 64 requests in flight,
   the ideal is 320 requests a second. Prints the share of it that runs reach, start to end of the
   requests (median of three), and how many were in flight at most.
2. Volume: the scripted agent labels 1,000 and 100,000 questions. Prints peak memory of both
   processes, and the time per row in the second and the last tenth of the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

LATENCY, IN_FLIGHT = 0.2, 64
PORT = 8431


def write_questions(path: Path, n: int) -> None:
    """Yes/no questions, each about words of its own, so that no request repeats another."""
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(n):
            words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(2)]
            row = {"question": f"Is {words[0]} a {words[1]}?", "answer": draw.random() < 0.5}
            file.write(json.dumps(row) + "\n")


def throughput(folder: Path, rows: int, repeats: int) -> None:
    """Part 1."""
    write_questions(folder / "questions.jsonl", rows)
    server = subprocess.Popen(
        [sys.executable, "-m", "memreason.llm.fake_server", "--latency", str(LATENCY), "--port", str(PORT)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout
        server.stdout.readline()
        time.sleep(1)
        shares = []
        for repeat in range(repeats):
            seconds, requests = json.loads(child("label", folder, repeat))
            ideal = requests / IN_FLIGHT * LATENCY
            shares.append(ideal / seconds)
            print(
                f"  {requests} requests in {seconds:.2f} s, ideal {ideal:.2f} s: {100 * ideal / seconds:.1f}%",
                flush=True,
            )
    finally:
        server.terminate()
        server.wait()
    print(f"throughput: {100 * median(shares):.1f}% of the ideal (median of {repeats})")


def volume(folder: Path, sizes: tuple[int, int]) -> None:
    """Part 2."""
    peaks = []
    for size in sizes:
        write_questions(folder / "questions.jsonl", size)
        peak, second, last = json.loads(child("volume", folder, size))
        peaks.append(peak)
        print(
            f"  {size:>7,} rows: peak memory {peak:.0f} MB; {1e3 * second:.2f} ms a row in the second tenth, "
            f"{1e3 * last:.2f} ms in the last", flush=True,
        )  # fmt: skip
    print(f"memory at {sizes[1]:,} rows over memory at {sizes[0]:,}: {peaks[1] / peaks[0]:.2f}")


def child(part: str, folder: Path, number: int) -> str:
    """Run one measurement in a process of its own; returns the last line that it printed."""
    command = [sys.executable, __file__, "--child", part, str(folder), str(number)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def measure_label(folder: Path, number: int) -> None:
    """[seconds, requests] of one labelling run against the server."""
    from memreason.label import run as module
    from memreason.label.config import LabelConfig
    from memreason.llm.meter import Meter

    config = LabelConfig(
        input=str(folder / "questions.jsonl"), output=str(folder / f"out-{number}.jsonl"), planner="some-model",
        request_cache=str(folder / f"requests-{number}.sqlite"), base_url=f"http://127.0.0.1:{PORT}/v1",
        concurrency=IN_FLIGHT,
    )  # fmt: skip
    times: list[float] = []
    admit = Meter.admit

    async def admit_and_note(self: Meter, request: object) -> None:
        times.append(time.perf_counter())
        await admit(self, request)  # type: ignore[arg-type]

    Meter.admit = admit_and_note  # type: ignore[method-assign]
    out = module.run(config).files
    assert out.accepted == out.done
    print(json.dumps([time.perf_counter() - times[0], len(times)]))


def measure_volume(folder: Path, size: int) -> None:
    """[peak memory in MB, seconds a row in the second tenth, in the last tenth] with the scripted agent."""
    import resource

    from memreason.label.config import LabelConfig
    from memreason.label.run import run
    from memreason.label.solutions_and_rejects import RunFiles

    times: list[float] = []
    write = RunFiles.write

    def write_and_note(self: RunFiles, result: object) -> None:
        write(self, result)  # type: ignore[arg-type]
        if self.done % (size // 10) == 0:
            times.append(time.perf_counter())

    RunFiles.write = write_and_note  # type: ignore[method-assign]
    run(LabelConfig(
        input=str(folder / "questions.jsonl"), output=str(folder / f"volume-{size}.jsonl"), planner="scripted",
        request_cache=str(folder / f"volume-{size}.sqlite"), concurrency=IN_FLIGHT,
    ))  # fmt: skip
    tenth = size // 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([peak, (times[1] - times[0]) / tenth, (times[-1] - times[-2]) / tenth]))


def main() -> None:
    """Both parts, in a folder that goes away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000, help="questions of each throughput run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--volume", type=int, default=100_000, help="questions of the larger volume run")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        part, folder, number = arguments.child
        {"label": measure_label, "volume": measure_volume}[part](Path(folder), int(number))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder), arguments.rows, arguments.repeats)
        volume(Path(folder), (1000, arguments.volume))


if __name__ == "__main__":
    main()
