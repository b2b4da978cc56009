"""The data type of a model's weights: what is said, or else what is fastest here, by measurement.

Whether a processor multiplies 16-bit numbers faster than 32-bit ones is not to be read off its flags: with the same
flag some do so twice as fast, others half as fast. What was measured is kept by whoever asks (in a run's config, in a
checkpoint, in a fit), and never measured again for the same work.
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
from memreason.models.loading import without_weights
from memreason.runtime import distributed
from memreason.runtime.allocator import free_memory
from memreason.runtime.devices import choose_device

logger = logging.getLogger(__name__)

WORTH = 1.1
"""So much faster bfloat16 must be to be taken: float32 is more exact."""
_ROWS, _FEW_ROWS = 256, 16
"""Tokens in a product: those of a few texts; and of a first trial."""
_LONGEST, _WEIGHTS = 2048, 8 << 20
"""The longest side, and all elements together, of the weights that are multiplied: larger ones do as well."""
_CLEAR, _CLEAR_AT_ONCE = 1.3, 5.0
"""How far apart two types must be for no further tries, and for no more than the first trial."""
_ENOUGH = 0.3
"""Seconds after which nothing more is tried."""

Shape = tuple[int, int]


class Measured(NamedTuple):
    """Seconds that the same products take in each data type."""

    float32: float
    bfloat16: float

    @property
    def best(self) -> str:
        """The data type to take."""
        return "bfloat16" if self.float32 > WORTH * self.bfloat16 else "float32"

    def __str__(self) -> str:
        if self.best == "bfloat16":
            return f"bfloat16, {self.float32 / self.bfloat16:.1f} × as fast as float32 here"
        return f"float32, {self.bfloat16 / self.float32:.1f} × as fast as bfloat16 here"


class _Size(NamedTuple):
    """What of a model decides: its ``weights``, their ``shapes`` from the one with most operations, and the numbers
    that each token's activations have, ``wide``."""

    weights: int
    shapes: tuple[Shape, ...]
    wide: int


def choose_dtype(name: str, path: str, device: torch.device | None = None, training_tokens: int = 0) -> torch.dtype:
    """The data type ``name`` (of `DTYPES`), where `auto` is the best one for the model in the folder ``path``.

    That is, on a CPU, the type in which products of the model's own shapes are fastest, or bfloat16 where float32
    would not fit into the free memory (with ``training_tokens``, what training on so many at a time needs as well);
    on others bfloat16 where the hardware has it, else float32. Of several processes, all must call this, and get the
    main one's answer. No random numbers are drawn, and it takes at most about half a second.
    Raises UserError for another name, or where there is no model.
    """
    if name not in DTYPES:
        raise UserError(f"--dtype {name!r}: must be one of {', '.join(DTYPES)}")
    if name != "auto":
        return getattr(torch, name)
    device = device or choose_device()
    if device.type != "cpu":
        return torch.bfloat16 if _has_bfloat16(device.type) else torch.float32
    size = _size(path)  # in every process, since it can fail
    name, why = distributed.gather(_best_on_cpu(size, training_tokens) if distributed.is_main() else ("", ""))[0]
    if distributed.is_main():
        logger.info(f"data type: {why}")
    return getattr(torch, name)


def training_dtype(config: ModelConfig, device: torch.device | None, tokens: int = 0) -> torch.dtype:
    """The data type that `build` holds the weights in; ``tokens`` are trained on at a time."""
    if config.dtype == "auto" and config.parameter_efficient_mode == "none":
        return torch.float32  # weights in 16 bits round off what they are to learn
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
    """(data type, why)."""
    # In training: the weights' originals beside those that adapters are folded into, and activations.
    needed = 4 * (size.weights * (2 if training_tokens else 1) + training_tokens * size.wide)
    free = free_memory()
    if needed > free:
        return "bfloat16", f"bfloat16, since float32 takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free"
    found = measure(size.shapes, torch.get_num_threads())
    return found.best, str(found)


@cache
def _size(path: str) -> _Size:
    model = without_weights(path)
    shapes: Counter[Shape] = Counter()
    wide = 0
    looked_up = model.get_input_embeddings().weight
    tied = model.config.get_text_config().tie_word_embeddings
    for weight in model.parameters():
        if weight.dim() not in (2, 3) or (weight is looked_up and not tied):  # of experts, all in one
            continue
        rows, columns = weight.shape[-2:]
        wide += rows + columns
        shapes[min(rows, _LONGEST), min(columns, _LONGEST)] += weight.numel() // (rows * columns)
    by_operations = sorted(shapes, key=lambda shape: -shapes[shape] * shape[0] * shape[1])
    return _Size(sum(p.numel() for p in model.parameters()), tuple(by_operations), wide)


@cache
@torch.no_grad()
def measure(shapes: tuple[Shape, ...], threads: int) -> Measured:
    """Time products with weights of ``shapes`` (out, in), the most important ones first, forward and backward.

    Data types take turns, so that a neighbour's load hits both, and the best of a few tries counts; how many depends
    on how clear the case is. ``threads`` says for how many the answer holds; the caller has set them.
    """
    taken: list[Shape] = []
    for shape in shapes:
        if not taken or sum(a * b for a, b in (*taken, shape)) <= _WEIGHTS:
            taken.append(shape)
    start = time.perf_counter()
    first = (min(taken[0][0], _LONGEST // 2), min(taken[0][1], _LONGEST // 2))
    found = _take_turns([first], _FEW_ROWS, lambda tries, _: tries > 2 or time.perf_counter() - start > _ENOUGH / 2)
    if max(found) > _CLEAR_AT_ONCE * min(found):
        return found
    return _take_turns(
        taken,
        _ROWS,
        lambda tries, found: (
            tries > 1 and ((tries > 3 and max(found) > _CLEAR * min(found)) or time.perf_counter() - start > _ENOUGH)
        ),
    )


_clock = time.thread_time if sys.platform == "linux" else time.perf_counter
"""What a neighbour takes of the processor is not counted; elsewhere the clock is too coarse, or misses helpers."""


def _take_turns(shapes: Sequence[Shape], rows: int, is_enough: Callable[[int, Measured], bool]) -> Measured:
    """The sum over the products of the best time of each."""
    types = (torch.float32, torch.bfloat16)
    products = [[_product(shape, rows, dtype) for shape in shapes] for dtype in types]
    for product in chain(*products):
        product()  # kernels are made at the first call
    best = [[float("inf")] * len(shapes) for _ in types]
    tries = 0
    while True:
        tries += 1
        for i in range(len(shapes)):
            for of_type, seconds in zip(products, best, strict=True):
                start = _clock()
                of_type[i]()
                seconds[i] = min(seconds[i], _clock() - start)
        found = Measured(*map(sum, best))
        if is_enough(tries, found):
            return found


def _product(shape: Shape, rows: int, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """``rows`` inputs times a weight of ``shape`` (out, in), and gradients of the outputs times it."""
    weight = torch.full(shape, 0.01, dtype=dtype)
    x = torch.full((rows, shape[1]), 0.01, dtype=dtype)
    return lambda: torch.nn.functional.linear(x, weight) @ weight
