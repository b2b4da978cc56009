"""Three shapes of embeddings × the parameter-efficient modes: what is trained, saved, loaded, merged."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS
from helpers.units import config, logits, train_a_little
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from memreason.config.ablations import AblationConfig
from memreason.config.checks import PREFIX_TUNING
from memreason.config.model import PARAMETER_EFFICIENT_MODES
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.manifest import MANIFEST, read_manifest
from memreason.models.unit import ModelUnit

TEXT = "Question: Is Lyon the capital of France?\n"


@torch.no_grad()
def effective_rows(unit: ModelUnit) -> tuple[torch.Tensor, torch.Tensor]:
    """Input and output matrices as the model uses them, adapters folded in."""
    with unit.merged() as model:
        return model.get_input_embeddings().weight.clone(), model.get_output_embeddings().weight.clone()


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[mode for mode in PARAMETER_EFFICIENT_MODES if mode != PREFIX_TUNING])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


class TestWhatMoves:
    def test_exactly_the_tensors_of_the_mode_move(self, bases: dict[str, Path], shape: str, mode: str) -> None:
        unit = build(config(bases[shape], mode), 256)
        before = {name: parameter.detach().clone() for name, parameter in unit.model.named_parameters()}
        train_a_little(unit)
        moved = {name for name, p in unit.model.named_parameters() if not torch.equal(p, before[name])}
        of_lora = {name for name in before if "lora_" in name}
        of_rows = {name for name in before if "trainable_tokens" in name}
        expected = {
            "none": set(before),
            "lora": of_lora,
            "prompt-tuning": of_rows,
            "lora+prompt-tuning": of_lora | of_rows,
        }[mode]
        assert moved == expected
        assert moved

    def test_new_rows_move_on_both_sides_and_old_rows_on_none(self, bases: dict[str, Path], shape: str) -> None:
        unit = build(config(bases[shape]), 256)
        new = sorted(unit.manifest.token_ids.values())
        old = [row for row in range(unit.manifest.rows) if row not in new]
        before = effective_rows(unit)
        train_a_little(unit)
        for side_before, side_after in zip(before, effective_rows(unit), strict=True):
            assert (side_before[new] != side_after[new]).any(1).all()
            assert torch.equal(side_before[old], side_after[old])

    def test_mode_lora_leaves_new_rows_as_initialised(self, bases: dict[str, Path], shape: str) -> None:
        unit = build(config(bases[shape], "lora"), 256)
        before = effective_rows(unit)
        train_a_little(unit)
        for side_before, side_after in zip(before, effective_rows(unit), strict=True):
            assert torch.equal(side_before, side_after)

    @pytest.mark.parametrize(("module", "words"), [("mlp", ["mlp"]), ("atten", ["attn"]), ("all", ["mlp", "attn"])])
    def test_lora_module_chooses_the_layers(self, bases: dict[str, Path], module: str, words: list[str]) -> None:
        unit = build(config(bases["tied"], lora_module=module), 256)
        adapted = {name for name, _ in unit.model.named_parameters() if "lora_A" in name}
        assert {word for word in ("mlp", "attn") for name in adapted if word in name} == set(words)
        assert not any("lm_head" in name for name in adapted)


class TestVocabulary:
    def test_new_ids_follow_the_tokenizer_and_the_matrix_never_shrinks(
        self, bases: dict[str, Path], shape: str
    ) -> None:
        tokens = len(AutoTokenizer.from_pretrained(bases[shape]))
        rows = AutoModelForCausalLM.from_pretrained(bases[shape]).get_input_embeddings().weight.shape[0]
        unit = build(config(bases[shape]), 256)
        count = 1 + 3 * 2  # one prefix; memory, reason and answer with two each
        assert list(unit.manifest.token_ids.values()) == list(range(tokens, tokens + count))
        assert unit.manifest.rows == max(rows, tokens + count)
        assert unit.model.get_input_embeddings().weight.shape[0] == unit.manifest.rows
        assert unit.model.get_output_embeddings().weight.shape[0] == unit.manifest.rows
        if shape == "padded":
            assert unit.manifest.rows == rows > tokens + count

    def test_new_rows_start_near_their_words_and_apart_from_each_other(
        self, bases: dict[str, Path], shape: str
    ) -> None:
        unit = build(config(bases[shape]), 256)
        words = unit.tokenizer.encode(" memory fact recall", add_special_tokens=False)
        for matrix in effective_rows(unit):
            ids = unit.manifest.token_ids
            described = matrix[words].mean(0)
            memory = [matrix[ids["<memory_0>"]], matrix[ids["<memory_1>"]]]
            spread = matrix[: min(ids.values())].std() * matrix.shape[1] ** 0.5
            for row in memory:
                assert 0 < (row - described).norm() < 0.2 * spread
            assert (memory[0] - memory[1]).norm() > 0

    def test_a_tokenizer_that_holds_a_token_name_is_refused(self, bases: dict[str, Path], tmp_path: Path) -> None:
        for file in bases["tied"].iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        tokenizer = AutoTokenizer.from_pretrained(tmp_path)
        tokenizer.add_tokens(["<memory_0>"])
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(UserError, match=r"already holds <memory_0>"):
            build(config(tmp_path), 256)

    def test_without_planning_tokens_nothing_is_added(self, bases: dict[str, Path], shape: str) -> None:
        unit = build(config(bases[shape], add_soft_prompts=False), 256)
        assert unit.manifest.token_ids == {}
        assert not any("trainable_tokens" in name for name, _ in unit.model.named_parameters())


class TestSaveLoadMerge:
    def test_every_way_back_gives_the_same_logits(
        self, bases: dict[str, Path], shape: str, mode: str, tmp_path: Path
    ) -> None:
        unit = build(config(bases[shape], mode), 256)
        train_a_little(unit)
        expected = logits(unit.model, unit)
        unit.save(tmp_path / "checkpoint")

        ours = load(tmp_path / "checkpoint")
        assert torch.allclose(logits(ours.model, ours), expected, atol=1e-5)
        assert ours.layout == unit.layout

        plain = self.load_without_memreason(tmp_path / "checkpoint", bases[shape], mode)
        assert (logits(plain, unit) - expected).abs().max() < 1e-4

        merged = ours.merge()
        assert (logits(merged, unit) - expected).abs().max() < 1e-4
        merged.save_pretrained(tmp_path / "merged")
        reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
        assert (logits(reloaded, unit) - expected).abs().max() < 1e-4

    @staticmethod
    def load_without_memreason(checkpoint: Path, base: Path, mode: str) -> torch.nn.Module:
        if mode == "none":
            return AutoModelForCausalLM.from_pretrained(checkpoint).eval()
        model = AutoModelForCausalLM.from_pretrained(base)
        tokens = len(AutoTokenizer.from_pretrained(checkpoint))
        if tokens > model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(tokens)
        return PeftModel.from_pretrained(model, checkpoint).eval()

    def test_a_checkpoint_holds_adapters_and_new_rows_only_and_no_pickle(
        self, bases: dict[str, Path], shape: str, tmp_path: Path
    ) -> None:
        from safetensors.torch import load_file

        unit = build(config(bases[shape]), 256)
        unit.save(tmp_path)
        files = {file.name for file in tmp_path.iterdir()}
        assert files >= {"adapter_model.safetensors", "adapter_config.json", MANIFEST, "tokenizer.json"}
        assert {Path(name).suffix for name in files} <= {".safetensors", ".json", ".jinja"}
        tensors = load_file(tmp_path / "adapter_model.safetensors")
        rows = [tensor for name, tensor in tensors.items() if "lora" not in name]
        assert len(rows) == (1 if shape == "tied" else 2)
        assert all(tensor.shape[0] == len(unit.manifest.token_ids) for tensor in rows)

    def test_folding_adapters_in_for_a_while_leaves_every_bit_as_it_was(
        self, bases: dict[str, Path], shape: str, mode: str
    ) -> None:
        unit = build(config(bases[shape], mode, dtype="bfloat16"), 256)
        train_a_little(unit)
        state = {name: tensor.clone() for name, tensor in unit.model.state_dict().items()}
        expected = logits(unit.model, unit)
        with unit.merged() as model:
            folded = logits(model, unit)
        assert (folded - expected).abs().max() < 0.05  # bfloat16 keeps about 3 digits
        for name, tensor in unit.model.state_dict().items():
            assert torch.equal(tensor, state[name]), name
        assert torch.equal(logits(unit.model, unit), expected)

    def test_input_and_output_stay_one_matrix_where_they_are_tied(self, bases: dict[str, Path], mode: str) -> None:
        unit = build(config(bases["tied"], mode), 256)
        train_a_little(unit)
        merged = unit.merge()
        assert merged.get_input_embeddings().weight is merged.get_output_embeddings().weight

    def test_the_manifest_comes_back_as_written(self, bases: dict[str, Path], tmp_path: Path) -> None:
        unit = build(config(bases["padded"]), 200)
        unit.save(tmp_path)
        assert read_manifest(tmp_path) == unit.manifest

    def test_weights_can_be_taken_over_by_a_fresh_build(
        self, bases: dict[str, Path], shape: str, mode: str, tmp_path: Path
    ) -> None:
        unit = build(config(bases[shape], mode), 256)
        train_a_little(unit)
        unit.save(tmp_path)
        fresh = build(config(bases[shape], mode), 256)
        fresh.load_weights(tmp_path)
        for (name, one), (_, other) in zip(unit.model.named_parameters(), fresh.model.named_parameters(), strict=True):
            assert torch.equal(one, other), name


class TestPrefixTuning:
    """Without planning tokens: PEFT's checkpoint has no place for their rows."""

    @pytest.fixture
    def unit(self, bases: dict[str, Path], shape: str) -> ModelUnit:
        unit = build(config(bases[shape], PREFIX_TUNING, add_soft_prompts=False, num_virtual_tokens=3), 64)
        train_a_little(unit)
        return unit

    def test_only_the_prefix_is_trained(self, bases: dict[str, Path], shape: str) -> None:
        unit = build(config(bases[shape], PREFIX_TUNING, add_soft_prompts=False), 64)
        before = {name: parameter.detach().clone() for name, parameter in unit.model.named_parameters()}
        train_a_little(unit)
        moved = {name for name, p in unit.model.named_parameters() if not torch.equal(p, before[name])}
        assert moved == {"prompt_encoder.default.embedding.weight"}

    def test_every_way_back_gives_the_same_logits(
        self, unit: ModelUnit, bases: dict[str, Path], shape: str, tmp_path: Path
    ) -> None:
        expected = logits(unit.model, unit)
        unit.save(tmp_path)
        assert not list(tmp_path.glob("model*.safetensors"))
        ours = load(tmp_path)
        assert torch.allclose(logits(ours.model, ours), expected, atol=1e-5)
        plain = TestSaveLoadMerge.load_without_memreason(tmp_path, bases[shape], PREFIX_TUNING)
        assert torch.allclose(logits(plain, unit), expected, atol=1e-5)
        fresh = build(config(bases[shape], PREFIX_TUNING, add_soft_prompts=False, num_virtual_tokens=3), 64, seed=1)
        fresh.load_weights(tmp_path)
        assert torch.allclose(logits(fresh.model, fresh), expected, atol=1e-5)

    @torch.no_grad()
    def test_answers_are_those_of_the_model_as_it_is_trained(self, unit: ModelUnit) -> None:
        """Row by row through PEFT's own forward, without a cache."""
        for trace in generate(unit, [s.question for s in SOLUTIONS], GenerationOptions(batch_size=3)):
            ids = unit.layout.encode_prompt(unit.tokenizer, trace.question)
            start = len(ids)
            while len(ids) < 64:
                ids.append(int(unit.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
                if ids[-1] == unit.end_id:
                    ids.pop()
                    break
            assert trace.text == unit.tokenizer.decode(ids[start:])
            assert "".join(stream(Engine(unit), Request(trace.question))) == trace.text

    def test_it_cannot_be_merged(self, unit: ModelUnit) -> None:
        with pytest.raises(UserError, match="cannot be merged"):
            unit.merge()


class TestRandomInitialization:
    def test_the_weights_are_drawn_by_the_seed_and_the_checkpoint_holds_them(
        self, bases: dict[str, Path], shape: str, tmp_path: Path
    ) -> None:
        ablations = AblationConfig(random_initialize=True)
        one, same, other = (build(config(bases[shape], "none"), 256, seed, ablations) for seed in (1, 1, 2))
        pretrained = build(config(bases[shape], "none"), 256, 1)
        expected = logits(one.model.eval(), one)
        assert torch.equal(logits(same.model.eval(), one), expected)
        assert not torch.allclose(logits(other.model.eval(), one), expected, atol=1e-3)
        assert not torch.allclose(logits(pretrained.model.eval(), one), expected, atol=1e-3)
        one.save(tmp_path)
        loaded = load(tmp_path)
        assert torch.allclose(logits(loaded.model, loaded), expected, atol=1e-6)
        assert loaded.manifest.rows == pretrained.manifest.rows


class TestWrongCheckpoints:
    def test_a_folder_without_manifest(self, bases: dict[str, Path]) -> None:
        with pytest.raises(UserError, match=rf"no {MANIFEST}"):
            load(bases["tied"])

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such folder"):
            load(tmp_path / "nowhere")

    def test_a_damaged_manifest(self, tmp_path: Path) -> None:
        (tmp_path / MANIFEST).write_text('{"format": ')
        with pytest.raises(UserError, match="not a manifest"):
            load(tmp_path)

    def test_another_base_model(self, bases: dict[str, Path], tmp_path: Path) -> None:
        from helpers.tiny import make_base

        build(config(bases["tied"]), 256).save(tmp_path / "checkpoint")
        other = make_base(tmp_path / "other", "tied", seed=1)
        with pytest.raises(UserError, match="other weights"):
            load(tmp_path / "checkpoint", base=str(other))

    def test_a_base_model_that_is_gone(self, bases: dict[str, Path], tmp_path: Path) -> None:
        from helpers.tiny import make_base

        base = make_base(tmp_path / "base", "tied")
        build(config(base), 256).save(tmp_path / "checkpoint")
        base.rename(tmp_path / "moved")
        with pytest.raises(UserError, match="which cannot be found"):
            load(tmp_path / "checkpoint")
        assert load(tmp_path / "checkpoint", base=str(tmp_path / "moved")).manifest.base_model == str(base)

    def test_four_bits_without_a_gpu(self, bases: dict[str, Path]) -> None:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
        with pytest.raises(UserError, match="4-bit weights need a CUDA GPU"):
            build(config(bases["tied"], int4_training=True), 256)

    def test_eight_bits_without_their_package(self, bases: dict[str, Path]) -> None:
        if importlib.util.find_spec("bitsandbytes"):
            pytest.skip("bitsandbytes is installed here")
        with pytest.raises(UserError, match="pip install bitsandbytes"):
            build(config(bases["tied"], int8_training=True), 256)

    def test_weights_that_are_not_to_be_quantized(self, bases: dict[str, Path]) -> None:
        with pytest.raises(UserError, match="such weights cannot be trained"):
            config(bases["tied"], "none", int8_training=True)
        with pytest.raises(UserError, match="say one of them"):
            config(bases["tied"], int8_training=True, int4_training=True)


class TestEightBits:
    """Trained, saved, loaded and asked: on any device that bitsandbytes computes on, this one among them."""

    def test_the_whole_way(self, bases: dict[str, Path], shape: str, tmp_path: Path) -> None:
        pytest.importorskip("bitsandbytes")
        unit = build(config(bases[shape], int8_training=True), 96)
        kinds = {type(layer).__name__ for layer in unit.model.modules()}
        assert "Linear8bitLt" in kinds
        frozen = {name: p.detach().clone() for name, p in unit.model.named_parameters() if not p.requires_grad}
        train_a_little(unit)
        assert all(torch.equal(p, frozen[name]) for name, p in unit.model.named_parameters() if name in frozen)
        traces = generate(unit, [s.question for s in SOLUTIONS], GenerationOptions(batch_size=3))
        train_a_little(unit)  # what was generated between changes nothing about training
        unit.save(tmp_path)
        assert read_manifest(tmp_path).bits == 8
        loaded = load(tmp_path)
        assert torch.allclose(logits(loaded.model, unit), logits(unit.model, unit), atol=1e-2)
        assert len(generate(loaded, [s.question for s in SOLUTIONS])) == len(traces) == len(SOLUTIONS)

    def test_a_manifest_from_before_there_were_four_bits(self, bases: dict[str, Path], tmp_path: Path) -> None:
        build(config(bases["tied"]), 96).save(tmp_path)
        for int8, bits in ((True, 8), (False, None)):
            fields = json.loads((tmp_path / MANIFEST).read_text())
            fields.pop("bits", None)
            (tmp_path / MANIFEST).write_text(json.dumps({**fields, "int8": int8}))
            assert read_manifest(tmp_path).bits == bits
