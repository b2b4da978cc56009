"""The data type is what is said, or what is fastest here; and no random number is drawn to find out."""

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from helpers.dtypes_job import disagree

from memreason.errors import UserError
from memreason.models import dtypes as module
from memreason.models.dtypes import Measured, choose_dtype, dtype_name, measure
from memreason.models.weights import load_causal_lm, without_weights

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    module.measure.cache_clear()
    yield
    module.measure.cache_clear()


def faster(monkeypatch: pytest.MonkeyPatch, dtype: str, times: float = 2.0) -> None:
    """Let products in ``dtype`` be the faster ones: a clock that runs slowly while they are computed."""
    rates = {"float32": 1.0, "bfloat16": 1.0, dtype: 1 / times}
    now, real = [0.0], module._product

    def product(shape: tuple[int, int], rows: int, of: torch.dtype):  # type: ignore[no-untyped-def]
        work = real(shape, rows, of)

        def timed() -> torch.Tensor:
            now[0] += rates[dtype_name(of)]
            return work()

        return timed

    monkeypatch.setattr(module, "_product", product)
    monkeypatch.setattr(module, "_clock", lambda: now[0])


def test_what_is_said_is_taken_without_looking(tmp_path: Path) -> None:
    for name in ("float32", "bfloat16", "float16"):
        assert choose_dtype(name, str(tmp_path / "nothing"), CPU) is getattr(torch, name)
    with pytest.raises(UserError, match="--dtype 'half': must be one of auto, float32, bfloat16, float16"):
        choose_dtype("half", str(tmp_path), CPU)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_auto_is_the_type_whose_products_are_faster_and_the_log_says_by_how_much(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, dtype: str
) -> None:
    faster(monkeypatch, dtype)
    other = {"float32": "bfloat16", "bfloat16": "float32"}[dtype]
    with caplog.at_level(logging.INFO, "memreason"):
        assert dtype_name(choose_dtype("auto", str(bases["tied"]), CPU)) == dtype
    assert caplog.messages == [f"data type: {dtype}, 2.0 × as fast as {other} here"]


def test_what_is_hardly_faster_is_not_worth_its_rounding() -> None:
    assert Measured(1.05, 1.0).best == "float32"
    assert Measured(1.2, 1.0).best == "bfloat16"


def test_it_is_measured_once_in_a_process(bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, "bfloat16")
    choose_dtype("auto", str(bases["tied"]), CPU)
    faster(monkeypatch, "float32")
    assert choose_dtype("auto", str(bases["tied"]), CPU) is torch.bfloat16


def test_where_float32_does_not_fit_it_is_bfloat16_and_the_log_says_so(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faster(monkeypatch, "float32")
    weights = sum(p.numel() for p in without_weights(str(bases["tied"])).parameters())
    free = psutil.virtual_memory()._replace(available=5 * weights)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert choose_dtype("auto", str(bases["tied"]), CPU) is torch.float32
    with caplog.at_level(logging.INFO, "memreason"):  # training needs more than asking
        assert choose_dtype("auto", str(bases["tied"]), CPU, training_tokens=100) is torch.bfloat16
    assert "bfloat16, since float32 takes about" in caplog.text


def test_only_a_try_is_made_of_what_is_far_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, "float32", times=30)
    made = []
    counted = module._product
    monkeypatch.setattr(module, "_product", lambda shape, rows, of: made.append(rows) or counted(shape, rows, of))
    assert measure(((64, 32), (32, 64)), 1).best == "float32"
    assert made == [module._FEW_ROWS] * 2


def test_large_weights_are_stood_for_by_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []
    faster(monkeypatch, "float32")
    counted = module._product
    monkeypatch.setattr(module, "_product", lambda shape, rows, of: made.append(shape) or counted(shape, rows, of))
    measure(((2048, 2048), (2048, 2048 - 1), (2048, 2048 - 2)), 1)
    assert set(made) == {(1024, 1024), (2048, 2048), (2048, 2047)}


def test_shapes_are_the_models_own_and_products_that_cost_most_come_first(bases: dict[str, Path]) -> None:
    for shape in ("untied", "tied"):  # an embedding that is only looked up is no product
        size = module._size(str(bases[shape]))
        head = (without_weights(str(bases[shape])).config.vocab_size, 32)
        # In each of two layers: gate and up, query and output, down, key and value; a head counts once.
        assert size.shapes == (head, (48, 32), (32, 32), (32, 48), (16, 32))


def test_neither_numbers_drawn_later_nor_a_model_loaded_later_depend_on_it(bases: dict[str, Path]) -> None:
    module._size.cache_clear()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    choose_dtype("auto", str(bases["padded"]), CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert load_causal_lm(str(bases["padded"]), torch.float32).dtype is torch.float32


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no causal language model"):
        choose_dtype("auto", str(tmp_path), CPU)


def test_a_gpu_is_not_measured_but_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        for gpu in ("cuda", "xpu"):
            monkeypatch.setattr(getattr(torch, gpu), "is_bf16_supported", lambda including_emulation, has=has: has)
            assert choose_dtype("auto", "", torch.device(gpu)) is dtype
        monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor, has=has: has)
        assert choose_dtype("auto", "", torch.device("mps")) is dtype


@pytest.mark.slow
def test_of_several_processes_all_take_what_the_main_one_measured(bases: dict[str, Path], tmp_path: Path) -> None:
    torch.multiprocessing.spawn(disagree, (str(bases["tied"]), str(tmp_path)), nprocs=2)
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["bfloat16", "bfloat16"]


@pytest.mark.skipif(sys.platform != "linux", reason="the clock that leaves out neighbours is Linux's")
def test_waiting_is_not_counted() -> None:
    start = module._clock()
    time.sleep(0.02)
    assert module._clock() - start < 0.02
