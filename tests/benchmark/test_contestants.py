"""Everyone does the same work: the same tokens, the same losses, the same answers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.benchmark_work import small, write_data
from helpers.tiny import make_base, teach

from memreason.benchmark import generation, training
from memreason.benchmark.config import GENERATION, TRAINING
from memreason.benchmark.workload import Turn, Unsuited, Work, fastest, prepare_work, spread
from memreason.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    torch.set_num_threads(1)
    base = teach(make_base(tmp_path_factory.mktemp("base"), "tied"), steps=30)
    data = write_data(tmp_path_factory.mktemp("data"))
    return prepare_work(small(base, data, dtype="float32", lora_dropout=0.0))


def take_part(section: str, name: str, work: Work) -> Turn:
    try:
        return (training if section == "training" else generation).prepare(name, work)()
    except Unsuited as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def references(work: Work) -> dict[str, Turn]:
    return {"training": training.prepare("one-by-one", work)(), "generation": generation.prepare("batches", work)()}


class TestTheWork:
    def test_a_step_trains_on_neighbours_in_length(self, work: Work) -> None:
        lengths = [len(example["input_ids"]) for example in work.examples]
        assert len(lengths) == 16 and lengths == sorted(lengths)
        assert max(lengths[:8]) <= min(lengths[8:])

    def test_questions_come_in_the_order_of_their_prompts_lengths(self, work: Work) -> None:
        assert [len(prompt) for prompt in work.prompts] == sorted(len(prompt) for prompt in work.prompts)
        assert len(work.questions) == len(work.prompts) == 5
        assert work.sample == [1, 3]

    def test_what_is_taken_out_of_many_is_spread_over_them(self) -> None:
        assert spread(range(100), 4) == [12, 37, 62, 87]
        assert spread("abc", 9) == ["a", "b", "c"]

    def test_too_little_data_is_the_users_mistake(self, bases: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--train_steps 2 of 8 examples each: the dataset has 11 of them"):
            prepare_work(small(bases["tied"], write_data(tmp_path, train=12)))

    def test_prompts_without_room_for_an_answer_are_not_asked(self, bases: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no test question whose prompt is shorter than --model_max_length 8"):
            prepare_work(small(bases["tied"], write_data(tmp_path), model_max_length=8, what=["generation"]))


class TestTraining:
    @pytest.mark.parametrize("name", TRAINING)
    def test_everyone_trains_on_the_same_tokens_to_the_same_losses(
        self, name: str, work: Work, references: dict[str, Turn]
    ) -> None:
        turn = take_part("training", name, work)
        assert turn.items == 16
        assert turn.tokens == sum(len(example["input_ids"]) for example in work.examples)
        assert turn.seconds > 0
        if name == "trl-packed":  # whose steps hold other examples
            return
        reference = references["training"]
        assert turn.losses == pytest.approx(reference.losses, abs=0.01)
        assert turn.operations == reference.operations

    def test_whoever_may_choose_works_in_the_data_type_that_it_is_fastest_in(self, work: Work) -> None:
        free = replace(work, config=replace(work.config, dtype="auto"))
        turn = training.prepare("one-by-one", free)()
        assert turn.dtype in TRAINING["one-by-one"].dtypes
        assert turn.losses == pytest.approx(training.prepare("one-by-one", work)().losses, abs=0.1)

    def test_the_trials_that_were_slower_are_forgotten(self, work: Work) -> None:
        rates = {"slow": 1, "fast": 3, "middling": 2}
        made = []

        def prepare(dtype: str) -> str:
            made.append(dtype)
            return dtype

        turn = fastest(
            tuple(rates),
            prepare,
            lambda one: Turn(1.0, rates[one], 0, 0.0),
            lambda one: lambda: Turn(1, 1, 1, 1, dtype=one),
        )
        assert made == list(rates) and turn().dtype == "fast"

    def test_a_turn_trains_on_where_the_last_one_ended(self, work: Work) -> None:
        turn = training.prepare("memreason", work)
        assert turn().losses[0] > turn().losses[0]


class TestGeneration:
    @pytest.mark.parametrize("name", [n for n in GENERATION if n not in ("continuous-batching", "vllm")])
    def test_everyone_writes_the_same_traces(self, name: str, work: Work, references: dict[str, Turn]) -> None:
        turn = take_part("generation", name, work)
        reference = references["generation"]
        asked = work.sample if GENERATION[name].one_at_a_time else range(5)
        assert turn.texts == {n: reference.texts[n] for n in asked}
        assert turn.items == len(asked)
        if len(asked) == 5:
            assert turn.tokens == reference.tokens

    def test_passes_over_the_weights_are_counted(self, work: Work) -> None:
        one, many = (generation.prepare(name, work)() for name in ("one-by-one", "memreason"))
        assert one.moved and many.moved
        assert one.moved == pytest.approx(4 * work.weights * one.tokens, rel=0.1)  # one pass a token, 4 bytes a weight
        assert many.moved < 3 * one.moved

    @pytest.mark.slow
    def test_transformers_continuous_batching_writes_them_too(self, work: Work, references: dict[str, Turn]) -> None:
        assert generation.prepare("continuous-batching", work)().texts == references["generation"].texts

    def test_float32_is_not_measured_twice(self, work: Work) -> None:
        with pytest.raises(Unsuited, match="in float32 here anyway"):
            generation.prepare("memreason-float32", work)
