"""Two models in two threads of one process: each computes exactly what it computes alone."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import torch
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.generation.answer import generate
from memreason.generation.options import GenerationOptions
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.training.encoding import encode_solutions
from memreason.training.loss import TrainingPass

TURNS = 2
Work = Callable[[ModelUnit], list[object]]


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    """The threads take turns after so few instructions that each comes by between any two layers of the other."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def made(bases: dict[str, Path], dropout: float, seed: int, shape: str = "tied") -> ModelUnit:
    config = ModelConfig(model_name_or_path=str(bases[shape]), dtype="float32", lora_dropout=dropout)
    return build(config, 80, seed)


def training(unit: ModelUnit) -> list[object]:
    """The losses of a few steps, which fast ways they were computed in, and the weights afterwards."""
    examples = list(encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 128)[0])
    training_pass = TrainingPass(unit, examples)
    trained = [weight for weight in unit.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    losses = []
    unit.model.train()
    for _ in range(TURNS):
        with training_pass.prepared():
            loss = training_pass.loss(unit.model, training_pass.collate(examples))
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    ways = [training_pass.eager, training_pass.fuses, training_pass.in_head, training_pass.unpadded]
    return [*losses, *ways, *(float(weight.detach().double().sum()) for weight in trained)]


def answering(unit: ModelUnit) -> list[object]:
    """Its answers, some under way at once, again and again; and how many tokens were read in each pass, since a way of
    decoding that fails is replaced by another that gives the same answers."""
    questions, read = [solution.question for solution in SOLUTIONS], []
    embeddings = unit.model.get_input_embeddings()
    with embeddings.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].numel())):
        traces = [generate(unit, questions, GenerationOptions(batch_size=2)) for _ in range(TURNS)]
    return [*(trace.text for turn in traces for trace in turn), *read]


def training_and_answering(unit: ModelUnit) -> list[object]:
    return [*training(unit), *answering(unit)]


@pytest.mark.parametrize(
    ("first", "second", "dropout"),
    [
        (training_and_answering, training_and_answering, 0.0),
        # Dropout is drawn from torch's generator, of which a process has one: so only one of them may draw.
        (training, answering, 0.2),
    ],
    ids=["both train and answer", "one trains with dropout and one answers"],
)
def test_each_gets_exactly_what_it_gets_alone(
    bases: dict[str, Path], first: Work, second: Work, dropout: float
) -> None:
    def units() -> tuple[ModelUnit, ModelUnit]:
        both = made(bases, dropout, seed=1), made(bases, 0.0, seed=2)
        torch.manual_seed(0)
        return both

    one, other = units()
    alone = first(one), second(other)
    start = Barrier(2)

    def together(work: Work, unit: ModelUnit) -> list[object]:
        start.wait()
        return work(unit)

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(together, (first, second), units()))
    assert both[0] == alone[0]
    assert both[1] == alone[1]
