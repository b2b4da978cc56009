"""Sparse attention: what is hidden changes nothing, what is seen does, and a cache changes nothing either."""

from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS
from transformers import AutoModelForCausalLM, DynamicCache, Gemma3TextConfig, GPT2Config, MistralConfig

from memreason.config.ablations import ALL, STEP, AblationConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.sparse_attention import SparseAttention, attend_sparsely
from memreason.models.unit import ModelUnit

P = 9  # the only planning token of the small examples

SIZES = dict(vocab_size=20, hidden_size=16, intermediate_size=16, num_attention_heads=2, num_key_value_heads=2,
             pad_token_id=0, bos_token_id=None, eos_token_id=None)  # fmt: skip
OTHERS = {
    "gpt2": GPT2Config(vocab_size=20, n_embd=16, n_layer=2, n_head=2, bos_token_id=None, eos_token_id=None),
    "mistral": MistralConfig(sliding_window=4, num_hidden_layers=1, **SIZES),
    "gemma3": Gemma3TextConfig(
        sliding_window=4, num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], head_dim=8, **SIZES
    ),
}


def seen(ids: list[int], planning_sees: str = STEP, starts: list[int] | None = None) -> list[str]:
    """For each position, what it sees of what stands at or before it: 1 or 0 a position."""
    first = None if starts is None else torch.tensor([[i in starts for i in range(len(ids))]])
    visible = SparseAttention(None, [P], planning_sees).visible(torch.tensor([ids]), first)
    at = torch.arange(len(ids))
    return ["".join(str(int(visible(0, 0, at[q], at[k]))) for k in range(q + 1)) for q in range(len(ids))]


class TestWhatIsSeen:
    def test_the_prompt_one_s_own_step_and_earlier_planning_tokens(self) -> None:
        #            prompt  step 1      step 2
        assert seen([1, 2, P, P, 3, 4, P, P, 5]) == [
            "1", "11",
            "111", "1111", "11111", "111111",
            "1111001", "11110011", "111100111",
        ]  # fmt: skip

    def test_planning_tokens_can_be_let_see_everything(self) -> None:
        assert seen([1, P, 3, P, 5], ALL) == ["1", "11", "111", "1111", "11011"]

    def test_packed_texts_do_not_see_each_other(self) -> None:
        #            first text   second text
        assert seen([1, P, 3, P, 4, 1, 2, P, 3, P, 4], starts=[0, 5])[5:] == [
            "000001", "0000011", "00000111", "000001111", "0000011101", "00000111011",
        ]  # fmt: skip

    def test_a_text_that_begins_with_a_planning_token_after_one_that_ends_with_one(self) -> None:
        assert seen([1, P, P, 3], starts=[0, 2])[2:] == ["001", "0011"]


def unit_of(base: Path, planning_sees: str = STEP, **options) -> ModelUnit:
    ablations = AblationConfig(use_sparse_attention=True, sparse_scope=planning_sees)
    unit = build(ModelConfig(model_name_or_path=str(base), dtype="float32", **options), 64, 0, ablations)
    unit.model.eval()
    return unit


@pytest.fixture(params=SHAPES)
def unit(request: pytest.FixtureRequest, bases: dict[str, Path]) -> ModelUnit:
    return unit_of(bases[request.param])


@torch.no_grad()
def logits(unit: ModelUnit, ids: list[int]) -> torch.Tensor:
    return unit.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def parts(unit: ModelUnit) -> tuple[list[int], dict[str, int]]:
    """A solution's ids, and one position of each kind."""
    encoded = unit.layout.encode(unit.tokenizer, SOLUTIONS[1])
    tokens = unit.manifest.token_ids
    ids = encoded.ids
    return ids, {
        "question": encoded.prompt_length - 4,
        "planning": ids.index(tokens["<memory_1>"]),
        "text": ids.index(tokens["<memory_2>"]) + 3,
        "later": ids.index(tokens["<reason_0>"]),
    }


class TestTheModel:
    @pytest.mark.parametrize("attention", ["eager", "sdpa"])
    def test_a_hidden_token_changes_no_later_logit_and_a_seen_one_does(self, unit: ModelUnit, attention: str) -> None:
        unit.model.get_base_model().set_attn_implementation(attention)
        ids, at = parts(unit)
        before = logits(unit, ids)
        for kind, later_changes in (("text", False), ("planning", True), ("question", True)):
            changed = list(ids)
            changed[at[kind]] = 5
            after = logits(unit, changed)
            assert torch.equal(after[at["later"] :], before[at["later"] :]) != later_changes
            assert not torch.equal(after[at["text"] : at["later"] - 2], before[at["text"] : at["later"] - 2])

    def test_let_see_everything_planning_tokens_pass_the_text_on(self, bases: dict[str, Path]) -> None:
        unit = unit_of(bases["untied"], ALL)
        ids, at = parts(unit)
        changed = list(ids)
        changed[at["text"]] = 5
        assert not torch.equal(logits(unit, changed)[at["later"] :], logits(unit, ids)[at["later"] :])

    @torch.no_grad()
    def test_a_cache_filled_token_by_token_gives_the_logits_of_the_whole(self, unit: ModelUnit) -> None:
        ids, at = parts(unit)
        cache = DynamicCache(config=unit.model.config)
        found = [
            unit.model(input_ids=torch.tensor([piece]), past_key_values=cache, use_cache=True).logits[0]
            for piece in (ids[: at["question"]], ids[at["question"] : at["text"]], *([i] for i in ids[at["text"] :]))
        ]
        assert torch.allclose(torch.cat(found), logits(unit, ids), atol=1e-5)

    @torch.no_grad()
    def test_also_a_cache_that_the_model_makes_itself(self, unit: ModelUnit) -> None:
        ids, at = parts(unit)
        output = unit.model(input_ids=torch.tensor([ids[: at["later"]]]))
        rest = unit.model(input_ids=torch.tensor([ids[at["later"] :]]), past_key_values=output.past_key_values)
        assert torch.allclose(torch.cat([output.logits, rest.logits], 1)[0], logits(unit, ids), atol=1e-5)

    @torch.no_grad()
    def test_padding_on_either_side_changes_nothing(self, unit: ModelUnit) -> None:
        ids, _ = parts(unit)
        pad, ones, zeros = [unit.tokenizer.pad_token_id] * 3, [1] * len(ids), [0] * 3
        for row, mask, at in ((pad + ids, zeros + ones, slice(3, None)), (ids + pad, ones + zeros, slice(0, -3))):
            positions = (torch.tensor([mask]).cumsum(1) - 1).clamp(min=0)
            found = unit.model(
                input_ids=torch.tensor([row]), attention_mask=torch.tensor([mask]), position_ids=positions
            ).logits[0, at]
            assert torch.allclose(found, logits(unit, ids), atol=1e-5)

    @torch.no_grad()
    def test_packed_texts_have_the_logits_that_each_has_alone(self, unit: ModelUnit) -> None:
        texts = [unit.layout.encode(unit.tokenizer, solution).ids for solution in SOLUTIONS[:3]]
        row = torch.tensor([[i for text in texts for i in text]])
        positions = torch.tensor([[i for text in texts for i in range(len(text))]])
        packed = unit.model(input_ids=row, position_ids=positions, use_cache=False).logits[0]
        alone = torch.cat([logits(unit, text) for text in texts])
        assert torch.allclose(packed, alone, atol=1e-5)

    @pytest.mark.parametrize("family", OTHERS)
    @torch.no_grad()
    def test_other_families_of_models(self, family: str) -> None:
        """Their decoders are called in other ways, and have sliding windows, or layers of both kinds."""
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(OTHERS[family]).eval()
        attend_sparsely(model, [P])
        ids = [1, 2, 3, P, 4, 5, 6, 7, P, 8, 6, 2]
        whole = model(input_ids=torch.tensor([ids])).logits
        hidden, seen_ = (model(input_ids=torch.tensor([[*ids[:at], 6, *ids[at + 1 :]]])).logits for at in (4, 9))
        assert torch.equal(hidden[:, 8:], whole[:, 8:]) and not torch.equal(hidden[:, 5:8], whole[:, 5:8])
        assert not torch.equal(seen_[:, 10:], whole[:, 10:])
        cache = DynamicCache(config=model.config)
        found = [model(input_ids=torch.tensor([[i]]), past_key_values=cache).logits for i in ids]
        assert torch.allclose(torch.cat(found, 1), whole, atol=1e-5)

    @torch.no_grad()
    def test_a_sliding_window_stays_one(self) -> None:
        model = AutoModelForCausalLM.from_config(OTHERS["mistral"]).eval()
        attend_sparsely(model, [P])
        ids = [1, 2, 3, P, 4, 5, 6, 7, P, 8]
        before, changed = (model(input_ids=torch.tensor([row])).logits[0, -1] for row in (ids, [6, *ids[1:]]))
        assert torch.equal(before, changed)

    def test_attention_that_takes_no_mask_is_refused(self) -> None:
        model = AutoModelForCausalLM.from_config(OTHERS["mistral"])
        attend_sparsely(model, [P])
        model.config._attn_implementation = "flash_attention_2"
        with pytest.raises(UserError, match="flash_attention_2, which takes no mask"):
            model(input_ids=torch.tensor([[1, P, 2]]))

    @pytest.mark.slow
    @torch.no_grad()
    def test_flex_attention_gives_the_same_logits(self, unit: ModelUnit) -> None:
        ids, _ = parts(unit)
        before = logits(unit, ids)
        unit.model.get_base_model().set_attn_implementation("flex_attention")
        assert torch.allclose(logits(unit, ids), before, atol=1e-5)


class TestGeneration:
    @torch.no_grad()
    def test_greedy_answers_are_those_of_the_mask_of_training(self, unit: ModelUnit) -> None:
        questions = [s.question for s in SOLUTIONS]
        for trace in generate(unit, questions, GenerationOptions(batch_size=3)):
            ids = unit.layout.encode_prompt(unit.tokenizer, trace.question)
            start = len(ids)
            while len(ids) < 64:
                ids.append(int(logits(unit, ids)[-1].argmax()))
                if ids[-1] == unit.tokenizer.eos_token_id:
                    ids.pop()
                    break
            assert trace.text == "".join(unit.layout.prefix) + unit.tokenizer.decode(ids[start:])

    def test_also_behind_a_text_that_is_read_once_for_all(self, unit: ModelUnit) -> None:
        shots = "Cities of Europe.\n\n"
        for trace in generate(unit, [s.question for s in SOLUTIONS], GenerationOptions(batch_size=2, shots=shots)):
            ids = unit.layout.encode_shots(unit.tokenizer, shots)
            ids += unit.layout.encode_prompt(unit.tokenizer, trace.question, first=False)
            start = len(ids)
            for _ in range(15):
                ids.append(int(logits(unit, ids)[-1].argmax()))
            written = "".join(unit.layout.prefix) + unit.tokenizer.decode(ids[start:])
            assert trace.text[:30] == written[:30]

    def test_a_stream_is_the_same_text(self, unit: ModelUnit) -> None:
        assert (
            "".join(stream(Engine(unit), Request(SOLUTIONS[0].question)))
            == generate(unit, [SOLUTIONS[0].question])[0].text
        )


@pytest.mark.parametrize("mode", ["none", "lora+prompt-tuning"])
def test_a_checkpoint_attends_as_it_was_trained(bases: dict[str, Path], tmp_path: Path, mode: str) -> None:
    unit = unit_of(bases["padded"], ALL, parameter_efficient_mode=mode)
    unit.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.manifest.sparse_attention == ALL
    ids, _ = parts(unit)
    dense = build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 128)
    assert torch.allclose(logits(loaded, ids), logits(unit, ids), atol=1e-6)
    assert not torch.allclose(logits(dense, ids), logits(unit, ids), atol=1e-4)
