"""The data type of a model's weights: the one in the options, or else the fastest one here, by measurement.

A processor's flags do not tell whether it multiplies 16-bit numbers faster than 32-bit ones: with the same flag, some
processors are twice as fast in 16 bits, others half as fast. Callers store the result (in a run's config, a
checkpoint or a fit), so that it is not measured again for the same work.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import torch

from memreason.config.model import DTYPES, ModelConfig
from memreason.errors import UserError
from memreason.models.base import resolve
from memreason.models.weights import without_weights
from memreason.runtime import distributed
from memreason.runtime.allocator import free_memory
from memreason.runtime.devices import choose_device

logger = logging.getLogger(__name__)

WORTH = 1.1
"""bfloat16 is chosen only if it is at least this many times as fast as float32, which is more exact."""
_ROWS, _FEW_ROWS = 256, 16
"""Tokens in a product: in the main trials (those of a few texts), and in the first, short trial."""
_LONGEST, _WEIGHTS = 2048, 8 << 20
"""Longest side of a weight in the trials, and the most elements of all of them: larger ones would change nothing."""
_CLEAR, _CLEAR_AT_ONCE = 1.3, 5.0
"""Ratio of the two times that ends the main trials early, and the ratio that makes the first trial enough."""
_ENOUGH = 0.3
"""Seconds after which no further trial is made."""

Shape = tuple[int, int]


class Measured(NamedTuple):
    """Seconds that the same matrix products take in each data type."""

    float32: float
    bfloat16: float

    @property
    def best(self) -> str:
        """The name of the data type to use."""
        return "bfloat16" if self.float32 > WORTH * self.bfloat16 else "float32"

    def __str__(self) -> str:
        if self.best == "bfloat16":
            return f"bfloat16, {self.float32 / self.bfloat16:.1f} × as fast as float32 here"
        return f"float32, {self.bfloat16 / self.float32:.1f} × as fast as bfloat16 here"


class _Size(NamedTuple):
    """The sizes of a model that decide: the number of its ``weights``; the ``shapes`` of its matrices, those with the
    most operations first; and ``wide``, the number of activations that each token has."""

    weights: int
    shapes: tuple[Shape, ...]
    wide: int


def choose_dtype(name: str, path: str, device: torch.device | None = None, training_tokens: int = 0) -> torch.dtype:
    """The data type ``name``, one of `DTYPES`; `auto` is the best one for the model in the folder ``path``.

    On a CPU, the best one is the type in which products of the model's own shapes are fastest, or bfloat16 where
    float32 would not fit into the free memory (with ``training_tokens`` above 0: the memory for training on so many
    tokens at a time). On other devices it is bfloat16 if the hardware has it, else float32. With several
    processes, all must call this, and all get the main one's answer. No random numbers are drawn. It takes at most
    about half a second.
    Raises UserError for an unknown name, or where there is no model.
    """
    if name not in DTYPES:
        raise UserError(f"--dtype {name!r}: must be one of {', '.join(DTYPES)}")
    if name != "auto":
        return getattr(torch, name)
    device = device or choose_device()
    if device.type != "cpu":
        return torch.bfloat16 if _has_bfloat16(device.type) else torch.float32
    size = _size(path)  # in every process: if it fails, it must fail in all of them
    name, why = distributed.gather(_best_on_cpu(size, training_tokens) if distributed.is_main() else ("", ""))[0]
    if distributed.is_main():
        logger.info(f"data type: {why}")
    return getattr(torch, name)


def training_dtype(config: ModelConfig, device: torch.device | None, tokens: int = 0) -> torch.dtype:
    """The data type in which `build` holds the weights; training uses ``tokens`` tokens at a time."""
    if config.dtype == "auto" and config.parameter_efficient_mode == "none":
        return torch.float32  # in 16 bits, most updates of a weight are smaller than its rounding
    return choose_dtype(config.dtype, resolve(config.model_name_or_path).path, device, tokens)


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "xpu":
        return torch.xpu.is_bf16_supported(including_emulation=False)
    return device == "mps" and torch.backends.mps.is_macos_or_newer(14, 0)


def _best_on_cpu(size: _Size, training_tokens: int) -> tuple[str, str]:
    """(data type, why it was chosen)."""
    # Training needs the original weights beside those that adapters are merged into, and activations.
    needed = 4 * (size.weights * (2 if training_tokens else 1) + training_tokens * size.wide)
    free = free_memory()
    if needed > free:
        return "bfloat16", f"bfloat16, since float32 takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free"
    measured = measure(size.shapes, torch.get_num_threads())
    return measured.best, str(measured)


@cache
def _size(path: str) -> _Size:
    model = without_weights(path)
    shapes: Counter[Shape] = Counter()
    wide = 0
    looked_up = model.get_input_embeddings().weight
    tied = model.config.get_text_config().tie_word_embeddings
    for weight in model.parameters():
        if weight.dim() not in (2, 3) or (weight is looked_up and not tied):  # 3: all experts in one
            continue
        rows, columns = weight.shape[-2:]
        wide += rows + columns
        shapes[min(rows, _LONGEST), min(columns, _LONGEST)] += weight.numel() // (rows * columns)
    by_operations = sorted(shapes, key=lambda shape: -shapes[shape] * shape[0] * shape[1])
    return _Size(sum(p.numel() for p in model.parameters()), tuple(by_operations), wide)


@cache
@torch.no_grad()
def measure(shapes: tuple[Shape, ...], threads: int) -> Measured:
    """Time products, forward and backward, with weights of ``shapes`` (out, in), the most important ones first.

    The data types take turns, so that the load of other programs slows both. The best of a few tries counts; the
    number of tries depends on how far apart the two types are. ``threads`` is the number of threads that torch uses
    now; it is only part of the key under which the answer is cached.
    """
    chosen: list[Shape] = []
    for shape in shapes:
        if not chosen or sum(a * b for a, b in (*chosen, shape)) <= _WEIGHTS:
            chosen.append(shape)
    start = time.perf_counter()
    first = (min(chosen[0][0], _LONGEST // 2), min(chosen[0][1], _LONGEST // 2))
    quick = _take_turns([first], _FEW_ROWS, lambda tries, _: tries > 2 or time.perf_counter() - start > _ENOUGH / 2)
    if max(quick) > _CLEAR_AT_ONCE * min(quick):
        return quick
    return _take_turns(
        chosen,
        _ROWS,
        lambda tries, best: (
            tries > 1 and ((tries > 3 and max(best) > _CLEAR * min(best)) or time.perf_counter() - start > _ENOUGH)
        ),
    )


_clock = time.thread_time if sys.platform == "linux" else time.perf_counter
"""On Linux, processor time of this thread, so that other programs do not count. On other systems that clock is too
coarse, or misses the threads that help."""


def _take_turns(shapes: Sequence[Shape], rows: int, is_enough: Callable[[int, Measured], bool]) -> Measured:
    """Time the products in both data types in turn, and add up the best time of each product.

    ``is_enough`` gets the number of tries and these sums so far, and says whether to stop.
    """
    types = (torch.float32, torch.bfloat16)
    products = [[_product(shape, rows, dtype) for shape in shapes] for dtype in types]
    for product in chain(*products):
        product()  # the first call also makes the kernels
    best = [[float("inf")] * len(shapes) for _ in types]
    tries = 0
    while True:
        tries += 1
        for i in range(len(shapes)):
            for of_type, seconds in zip(products, best, strict=True):
                start = _clock()
                of_type[i]()
                seconds[i] = min(seconds[i], _clock() - start)
        measured = Measured(*map(sum, best))
        if is_enough(tries, measured):
            return measured


def _product(shape: Shape, rows: int, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """A function that multiplies ``rows`` inputs by a weight of ``shape`` (out, in), and the outputs by it again.

    The second product has the shapes of the gradient with respect to the inputs: (rows, out) @ (out, in).
    """
    weight = torch.full(shape, 0.01, dtype=dtype)
    x = torch.full((rows, shape[1]), 0.01, dtype=dtype)
    return lambda: torch.nn.functional.linear(x, weight) @ weight
