"""A model's own decoding: answers depend on no batch, and what a model gets wrong is not used."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SOLUTIONS, make_tokenizer
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, DynamicCache, LlamaForCausalLM

from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.engine import Engine
from memreason.generation.few_shot import few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.generation.padded_batches import PaddedBatches
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.load import load_base
from memreason.models.unit import ModelUnit
from memreason.records import Question

QUESTIONS = [Question(str(i), text, "True") for i, text in enumerate(
    ["Rome?", "Paris?", "Is Lyon in Italy?", "Is Rome in Italy?", "Is Paris, the city of light, in Italy?"]
)]  # fmt: skip
LIMIT = 44
KINDS = {
    "llama": {},
    "mamba": {"state_size": 8},
    "recurrent_gemma": {"head_dim": 8, "lru_width": 32, "num_hidden_layers": 3},
    "rwkv": {"attention_hidden_size": 32},
    "falcon": {"alibi": True, "multi_query": False, "new_decoder_architecture": False},
    "mistral": {"sliding_window": 24},
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_ff_dim": 48, "block_auto_adjust_ff_dim": False},
}


SLOW = {"recurrent_gemma", "rwkv"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in KINDS],
)
def unit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelUnit:
    folder, tokenizer = tmp_path_factory.mktemp(request.param), make_tokenizer(bos=False)
    sizes = dict(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=None, eos_token_id=tokenizer.eos_token_id, initializer_range=0.3,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[request.param](**{**sizes, **KINDS[request.param]}))
    with torch.no_grad():  # so that what tokens were before shows in what comes next
        for weights in model.parameters():
            weights.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_base(str(folder), "float32", LIMIT)


def written_plainly(unit: ModelUnit, shots: str = "") -> list[str]:
    """Greedy answers, one at a time, each token from a pass over the whole text so far."""
    found = []
    before = unit.layout.encode_shots(unit.tokenizer, shots)
    for question in QUESTIONS:
        prompt = unit.layout.encode_prompt(unit.tokenizer, question, not before)
        ids = [*before, *prompt]
        for _ in range(LIMIT - len(prompt)):
            with torch.no_grad():
                logits = unit.model(input_ids=torch.tensor([ids]), use_cache=False).logits
            ids.append(int(logits[0, -1].argmax()))
            if ids[-1] == unit.end_id:
                break
        text = unit.tokenizer.decode([id for id in ids[len(before) + len(prompt) :] if id != unit.end_id])
        found.append("".join(unit.layout.prefix) + text)
    return found


@pytest.fixture(scope="module")
def alone(unit: ModelUnit) -> list[str]:
    return written_plainly(unit)


@pytest.fixture(scope="module")
def behind_examples(unit: ModelUnit) -> list[str]:
    return written_plainly(unit, few_shot_text(unit, SOLUTIONS[:2]))


@pytest.mark.parametrize("backend", ["auto", "transformers"])
def test_answers_are_those_of_plain_passes_in_any_batch(unit: ModelUnit, alone: list[str], backend: str) -> None:
    for size in (1, 5):
        assert [t.text for t in generate(unit, QUESTIONS, GenerationOptions(batch_size=size, backend=backend))] == alone


def test_so_are_they_as_a_stream(unit: ModelUnit, alone: list[str]) -> None:
    assert ["".join(stream(Engine(unit), Request(question))) for question in QUESTIONS] == alone


@pytest.mark.parametrize("backend", ["auto", "transformers"])
def test_so_are_they_behind_what_all_prompts_begin_with(
    unit: ModelUnit, behind_examples: list[str], backend: str
) -> None:
    shots = few_shot_text(unit, SOLUTIONS[:2])
    found = generate(unit, QUESTIONS, GenerationOptions(batch_size=5, shots=shots, backend=backend))
    for trace, text in zip(found, behind_examples, strict=True):
        assert text.startswith(trace.text)
        assert trace.text or text == ""


class Forgetful(LlamaForCausalLM):
    """What it has read into a cache it does not see."""

    def forward(self, input_ids=None, past_key_values=None, **options):  # type: ignore[no-untyped-def, override]
        if past_key_values is not None and past_key_values.get_seq_length():
            super().forward(input_ids, past_key_values=past_key_values, **options)
            options |= {"attention_mask": None, "position_ids": None, "use_cache": False}
            found = super().forward(input_ids, **options)
            found.past_key_values = past_key_values
            return found
        return super().forward(input_ids, past_key_values=past_key_values, **options)


class Unfit(LlamaForCausalLM):
    def generate(self, *_: object, **__: object):  # type: ignore[no-untyped-def, override]
        raise NotImplementedError("it only embeds")


def test_a_cache_that_is_wrong_is_done_without(bases: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    right = load_base(str(bases["tied"]), "float32", LIMIT)
    unit = replace(right, model=Forgetful.from_pretrained(bases["tied"], dtype=torch.float32))
    with caplog.at_level(logging.INFO, "memreason"):
        found = generate(unit, QUESTIONS, GenerationOptions(backend="transformers"))
    assert [t.text for t in found] == written_plainly(right)
    assert "decoding without a cache" in caplog.text
    shots = few_shot_text(unit, SOLUTIONS[:1])
    expected = generate(right, QUESTIONS, GenerationOptions(shots=shots))
    assert [t.text for t in generate(unit, QUESTIONS, GenerationOptions(shots=shots, backend="transformers"))] == [
        trace.text for trace in expected
    ]


def test_a_model_that_cannot_be_decoded_is_an_error_that_says_so(bases: dict[str, Path]) -> None:
    unit = load_base(str(bases["tied"]), "float32", LIMIT)
    unit = replace(unit, model=Unfit.from_pretrained(bases["tied"], dtype=torch.float32))
    with pytest.raises(UserError, match=r"Unfit cannot be decoded: .*it only embeds"):
        generate(unit, QUESTIONS, GenerationOptions(backend="transformers"))


def test_what_is_tried_out_is_tried_once_and_draws_no_random_numbers(bases: dict[str, Path]) -> None:
    unit = load_base(str(bases["tied"]), "float32", LIMIT)
    passes: list[int] = []
    unit.model.register_forward_pre_hook(lambda *_: passes.append(1))
    before, counts = torch.get_rng_state(), []
    for _ in range(3):
        generate(unit, QUESTIONS, GenerationOptions(batch_size=5, backend="transformers"))
        counts.append(len(passes) - sum(counts))
    assert counts[0] > counts[1] == counts[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_behind_what_is_read_once_a_window_would_count_the_padding(bases: dict[str, Path]) -> None:
    sizes = CONFIG_MAPPING["mistral"](
        vocab_size=400, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=30,
    )  # fmt: skip
    unit = load_base(str(bases["tied"]), "float32", LIMIT)
    batches = PaddedBatches(unit, AutoModelForCausalLM.from_config(sizes).eval())
    prompts, room = [[5] * 6, [5] * 6, [5] * 7], [14, 14, 13]
    assert batches.batches(prompts, room, 3) == [range(0, 3)]
    batches.shared = [5] * 10, DynamicCache(config=sizes)  # 30 tokens in all
    assert batches._why_not_padded(prompts[0], 20) != "its window counts the padding after the text that is read once"
    batches.shared = [5] * 11, DynamicCache(config=sizes)
    assert batches._why_not_padded(prompts[0], 20) == "its window counts the padding after the text that is read once"
