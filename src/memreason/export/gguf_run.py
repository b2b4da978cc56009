"""Running a GGUF file in llama.cpp, in a process of its own: llama.cpp ends its process where a file is wrong.

`python -m memreason.export.gguf_run` is that process: it reads a `Request` as JSON, and writes one JSON object a line.
Needs no torch.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from memreason.errors import UserError


@dataclass(frozen=True)
class Request:
    """What llama.cpp is asked to do with the file ``path``.

    It tokenizes each of ``texts`` (special tokens by their names, nothing put before it), writes each of ``tokens`` as
    text, continues each of ``prompts`` greedily, until ``end_id`` or until there are ``longest``
    tokens together, and computes the log-probability of each token but the first of ``sequences``.
    """

    path: str
    texts: list[str]
    tokens: list[int]
    prompts: list[list[int]]
    sequences: list[list[int]]
    end_id: int
    longest: int


def is_installed() -> bool:
    """Whether llama-cpp-python is installed."""
    return importlib.util.find_spec("llama_cpp") is not None


def replies(request: Request) -> Iterator[Any]:
    """What llama.cpp gives, one by one: the ids of each text, the text of each token, the ids that continue each
    prompt, the log-probabilities of each sequence.

    Raises UserError where llama.cpp cannot load or run the file, with what it said.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
            encoding="utf-8",
        )  # fmt: skip
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(asdict(request)))
            process.stdin.close()
            for line in process.stdout:
                yield json.loads(line)
        except BrokenPipeError:  # what it said tells why
            pass
        finally:
            process.stdout.close()
            process.kill() if sys.exc_info()[0] else None
            failed = process.wait()
        if failed:
            said.seek(0)
            last = " ".join(said.read().split()[-80:])
            raise UserError(f"{request.path}: llama.cpp cannot run this file ({failed}): {last}")


def run(request: Request) -> Iterator[Any]:
    """The same in this process, with llama-cpp-python."""
    from llama_cpp import Llama

    model = Llama(request.path, n_ctx=request.longest, verbose=False)
    for text in request.texts:
        yield model.tokenize(text.encode(), add_bos=False, special=True)
    for token in request.tokens:
        yield model.detokenize([token]).decode(errors="replace")
    for prompt in request.prompts:
        written: list[int] = []
        for token in model.generate(prompt, temp=0.0):
            if token == request.end_id or len(prompt) + len(written) >= request.longest:
                break
            written.append(token)
        yield written
    model.close()
    if not request.sequences:
        return
    # With all logits kept, memory grows with the length: a second model, for short texts only.
    model = Llama(request.path, n_ctx=max(map(len, request.sequences)), logits_all=True, verbose=False)
    for ids in request.sequences:
        model.reset()
        model.eval(ids)
        logits = np.asarray(model.scores[: len(ids) - 1], np.float64)
        peak = logits.max(-1, keepdims=True)
        sums = np.log(np.exp(logits - peak).sum(-1)) + peak[:, 0]
        yield (logits[np.arange(len(ids) - 1), ids[1:]] - sums).tolist()


def main() -> None:
    """Answer the request on stdin. What llama.cpp prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for reply in run(Request(**json.loads(sys.stdin.buffer.read()))):
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
