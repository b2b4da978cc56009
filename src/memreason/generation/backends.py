"""Other engines that can generate the answers, each as a function with the same arguments.

They get a portion of the prompts at a time, so that memory does not grow with the number of prompts.

An engine does not know adapters, or anything else that memreason adds to a model. It gets a plain copy, with the
adapters merged into the weights. So it can do only what a plain model can: greedy decoding.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import init_empty_weights
from peft import PeftModel
from transformers import PreTrainedModel

from memreason.config.checks import check_engine
from memreason.errors import UserError
from memreason.generation.openvino import as_openvino, openvino_decoder
from memreason.generation.prompt_list import OnEnded, Requests
from memreason.models.manifest import Manifest

_OF_PEFT = re.compile(r"\.(base_layer|token_adapter)(?=\.)")
_ADAPTERS = re.compile(r"\.(lora_|trainable_tokens_)")
_NEEDED = {"vllm": ("vllm", "vllm"), "openvino": ("openvino_genai", "openvino-genai")}
"""Engine → the module that it needs, and the package of this module."""
_TURNS = 32
"""An engine gets this many prompts at a time for each slot, that is, for each answer that it generates at once."""


def check_backend(name: str, manifest: Manifest, use_calculator: bool = False) -> None:
    """Raise UserError where the engine ``name`` is not installed, or cannot do what the model or the options need."""
    if name not in _NEEDED:
        return
    mode, sparse = manifest.parameter_efficient_mode, bool(manifest.sparse_attention)
    check_engine(name, mode, manifest.bits, sparse, use_calculator)
    module, package = _NEEDED[name]
    if importlib.util.find_spec(module) is None:
        raise UserError(f"--generation_backend {name} needs a package that is not installed: pip install {package}")


def plain(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """A transformers model without PEFT's modules and names. It shares the memory of the weights.

    If ``model`` has adapters, they must be merged into its weights before (`ModelUnit.merged`).
    """
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    with init_empty_weights():
        bare = type(base)(base.config)
    state = {_OF_PEFT.sub("", name): t for name, t in base.state_dict().items() if not _ADAPTERS.search(name)}
    bare.load_state_dict(state, assign=True)
    bare.tie_weights()
    bare.generation_config = base.generation_config
    return bare.eval()


def decode_with_vllm(
    model: PreTrainedModel | PeftModel,
    requests: Requests,
    end_id: int,
    slots: int,
    on_ended: OnEnded,
) -> None:
    """Continue the prompts of ``requests`` greedily by vLLM, and call ``on_ended`` for each. It loads a copy of the
    weights from a temporary folder (in `TMPDIR`).

    During this time the model is in main memory, since vLLM takes most of a GPU for itself. What prompts have in common
    at the beginning is read once. This was tested with vLLM 0.32 on a CPU, and never on a GPU.
    """
    from vllm import LLM, SamplingParams

    device = model.device
    with tempfile.TemporaryDirectory(prefix="memreason-vllm-") as folder:
        plain(model).save_pretrained(folder)
        model.to("cpu")
        torch.cuda.empty_cache()  # does nothing where there is no GPU
        try:
            engine = LLM(
                folder,
                dtype=str(model.dtype).removeprefix("torch."),
                skip_tokenizer_init=True,
                generation_config="vllm",  # not the model's own settings, which may sample
                max_model_len=requests.longest,
                max_num_seqs=slots,
                enable_prefix_caching=True,
            )
            for some in _portions(len(requests), slots):
                settings = [
                    SamplingParams(temperature=0, max_tokens=requests.max_new_tokens[i], stop_token_ids=[end_id],
                                   ignore_eos=True, detokenize=False, skip_special_tokens=False)
                    for i in some
                ]  # fmt: skip
                outputs = engine.generate(
                    [{"prompt_token_ids": requests.prompts[i]} for i in some], settings, use_tqdm=False
                )
                for i, output in zip(some, outputs, strict=True):
                    on_ended(i, list(output.outputs[0].token_ids))
            engine.llm_engine.engine_core.shutdown()  # ends its process and frees its memory
        finally:
            model.to(device)


def decode_with_openvino(
    model: PreTrainedModel | PeftModel,
    requests: Requests,
    end_id: int,
    slots: int,
    on_ended: OnEnded,
) -> None:
    """Continue the prompts of ``requests`` greedily by OpenVINO on the CPU, and call ``on_ended`` for each.

    It computes in bfloat16 if the model does and the processor can, otherwise in float32. Raises UserError for a model
    that OpenVINO cannot convert.

    What prompts have in common at the beginning is read once.
    """
    with tempfile.TemporaryDirectory(prefix="memreason-openvino-") as folder:
        as_openvino(plain(model), Path(folder))
        run = openvino_decoder(Path(folder), model.dtype == torch.bfloat16, end_id, slots)
        for some in _portions(len(requests), slots):
            generated = run([requests.prompts[i] for i in some], [requests.max_new_tokens[i] for i in some])
            for i, ids in zip(some, generated, strict=True):
                on_ended(i, ids)


def _portions(count: int, slots: int) -> Iterator[range]:
    """Ranges of prompts, so large that little time is lost while only the last answers of a range are generated."""
    size = _TURNS * slots
    return (range(start, min(start + size, count)) for start in range(0, count, size))


ENGINES = {"vllm": decode_with_vllm, "openvino": decode_with_openvino}
"""Value of `--generation_backend` → the function that decodes."""
