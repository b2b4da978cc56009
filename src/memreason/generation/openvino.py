"""A transformers model converted to OpenVINO, and decoded by the continuous batching of OpenVINO GenAI.

The model is traced with its cache as inputs and outputs. These are then turned into the state that OpenVINO GenAI
expects: tensors (batch, key-value heads, tokens so far, head size), empty at first, whose order `beam_idx` changes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from memreason.errors import UserError

INPUTS = {"input_ids": 2, "attention_mask": 2, "position_ids": 2, "beam_idx": 1}
"""The inputs that OpenVINO GenAI gives to a language model → their numbers of dimensions."""


class _Traced(torch.nn.Module):
    """The model as a function of tensors. ``past`` holds the keys, then the values, of one layer after another."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        beam_idx: torch.Tensor,
        past: list[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        cache = DynamicCache()
        for keys, values in zip(past[::2], past[1::2], strict=True):
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys.index_select(0, beam_idx), values.index_select(0, beam_idx)
            cache.layers.append(layer)
        # The mask is made here, since transformers makes masks with vmap, which cannot be traced.
        length, total = input_ids.shape[1], attention_mask.shape[1]
        seen = torch.arange(total)[None] <= torch.arange(total - length, total)[:, None]
        seen = seen[None, None] & attention_mask[:, None, None].bool()
        mask = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
        out = self.model(
            input_ids=input_ids, attention_mask=mask, position_ids=position_ids, past_key_values=cache, use_cache=True
        )
        return out.logits, *(held for layer in out.past_key_values.layers for held in (layer.keys, layer.values))


def as_openvino(model: PreTrainedModel, folder: Path) -> None:
    """Write ``model`` as an OpenVINO model into ``folder``. Its weights are moved to the CPU and become float32.

    Raises UserError for a model that cannot be converted.
    """
    import openvino
    from openvino import opset13 as op
    from openvino._offline_transformations import apply_make_stateful_transformation

    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {"full_attention"} or (not kinds and getattr(config, "sliding_window", None)):
        raise UserError(
            f"--generation_backend openvino: {type(model).__name__} does not attend to its whole text; say auto"
        )
    layers, heads = config.num_hidden_layers, getattr(config, "num_key_value_heads", config.num_attention_heads)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    example = {
        "input_ids": torch.ones(2, 4, dtype=torch.long),
        "attention_mask": torch.ones(2, 7, dtype=torch.long),
        "position_ids": torch.arange(3, 7).expand(2, 4),
        "beam_idx": torch.arange(2, dtype=torch.int32),
        "past": [torch.zeros(2, heads, 3, size) for _ in range(2 * layers)],
    }
    model.set_attn_implementation("sdpa")
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            converted = openvino.convert_model(_Traced(model.to("cpu").float()), example_input=example)
        for (name, dimensions), node in zip(INPUTS.items(), converted.inputs, strict=False):
            node.get_tensor().set_names({name})
            node.get_node().set_partial_shape(openvino.PartialShape([-1] * dimensions))
        converted.outputs[0].get_tensor().set_names({"logits"})
        for i, (before, after) in enumerate(zip(converted.inputs[len(INPUTS) :], converted.outputs[1:], strict=True)):
            before.get_tensor().set_names({f"past.{i}"})
            after.get_tensor().set_names({f"present.{i}"})
            before.get_node().set_partial_shape(openvino.PartialShape([-1, heads, -1, size]))
        converted.validate_nodes_and_infer_types()
        apply_make_stateful_transformation(converted, {f"past.{i}": f"present.{i}" for i in range(2 * layers)})
        rows = op.gather(op.shape_of(converted.input("input_ids")), op.constant([0]), op.constant(0))
        empty = op.broadcast(op.constant(0.0, dtype="float32"), op.concat([rows, op.constant([heads, 0, size])], 0))
        for node in converted.get_ops():
            if node.get_type_name() == "ReadValue":
                node.set_arguments([empty])
        converted.validate_nodes_and_infer_types()
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"--generation_backend openvino cannot convert {type(model).__name__}; say auto ({error})"
        ) from error
    openvino.save_model(converted, folder / "openvino_model.xml", compress_to_fp16=False)
    (folder / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")


def openvino_decoder(
    folder: Path, bfloat16: bool, end_id: int, slots: int
) -> Callable[[Sequence[Sequence[int]], Sequence[int]], list[list[int]]]:
    """A function (prompts, max_new_tokens) → the greedy continuation of each prompt, by the model in ``folder``.

    A continuation ends with the end token, unless it reaches its limit before.
    """
    import numpy
    import openvino
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_seqs = slots
    scheduler.enable_prefix_caching = True
    dtype = "bf16" if bfloat16 else "f32"
    options = {
        "INFERENCE_PRECISION_HINT": dtype,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # Otherwise OpenVINO uses 8 bits for both of these.
        "KV_CACHE_PRECISION": dtype,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    }
    pipeline = openvino_genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", options)

    def decode(prompts: Sequence[Sequence[int]], max_new_tokens: Sequence[int]) -> list[list[int]]:
        settings = []
        for size in max_new_tokens:
            greedy = openvino_genai.GenerationConfig()
            greedy.do_sample, greedy.max_new_tokens = False, size
            greedy.eos_token_id, greedy.stop_token_ids = end_id, {end_id}
            settings.append(greedy)
        inputs = [openvino.Tensor(numpy.array([prompt], dtype=numpy.int64)) for prompt in prompts]
        return [list(result.m_generation_ids[0]) for result in pipeline.generate(inputs, settings)]

    return decode
