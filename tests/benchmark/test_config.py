"""The options of `memreason benchmark`, and what is wrong with them."""

import pytest

from memreason.benchmark.config import GENERATION, TRAINING, BenchmarkConfig, Entry
from memreason.errors import UserError


def test_by_default_everyone_takes_part() -> None:
    config = BenchmarkConfig()
    assert config.contestants("training") == list(TRAINING)
    assert config.contestants("generation") == list(GENERATION)


def test_only_those_named_take_part() -> None:
    config = BenchmarkConfig(only=["memreason", "batches"])
    assert config.contestants("training") == ["memreason"]
    assert config.contestants("generation") == ["memreason", "batches"]


def test_quick_means_small_sizes_and_few() -> None:
    config = BenchmarkConfig(quick=True, what=["training"], rounds=9)
    assert (config.rounds, config.train_steps) == (1, 1)
    assert config.contestants("training") == ["memreason", "trainer"]


def test_everyone_tries_all_data_types_that_it_can_work_in_unless_one_is_asked_for() -> None:
    trainer, ours = TRAINING["trainer"], TRAINING["memreason"]
    assert BenchmarkConfig().dtypes(trainer) == ("float32", "bfloat16", "bf16 autocast")
    assert BenchmarkConfig(dtype="float32").dtypes(trainer) == ("float32",)
    assert BenchmarkConfig(dtype="bfloat16").dtypes(trainer) == ("bfloat16", "bf16 autocast")
    assert BenchmarkConfig(dtype="bfloat16").dtypes(ours) == ()
    assert BenchmarkConfig(dtype="bfloat16").dtypes(GENERATION["one-by-one-float32"]) == ("float32",)


def test_whoever_cannot_take_part_says_why() -> None:
    assert GENERATION["batches"].why_not("float32", gguf=None) == ""
    assert GENERATION["memreason-float32"].why_not("bfloat16", gguf=None) == ""
    assert "in float32 here anyway" in GENERATION["memreason-float32"].why_not("float32", gguf=None)
    absent = Entry("absent", "generate", package="no_such_module", install="pip install it")
    assert absent.why_not("float32", gguf=None) == "no_such_module is not installed (pip install it)"
    assert "--gguf" in Entry("of a file", "llama.cpp", reads_gguf=True).why_not("float32", gguf=None)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"what": ["sleeping"]}, "--what 'sleeping': must be one of training, generation"),
        ({"what": ["training"], "only": ["vllm"]}, "--only 'vllm': must be one of memreason, trainer"),
        ({"rounds": 0}, "--rounds 0: must be at least 1"),
        ({"examples_per_step": 6}, "--examples_per_step 6 is not made of whole batches of 4"),
        ({"per_device_train_batch_size": 3}, "--examples_per_step 16 is not made of whole batches of 3"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        BenchmarkConfig(**options)
