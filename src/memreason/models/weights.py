"""Loading a tokenizer and a model's weights from a folder. Code that comes with them is never run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from memreason.errors import UserError
from memreason.models.base_checks import check_finite, check_loaded
from memreason.runtime.devices import choose_device
from memreason.runtime.reading import fits, reading

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json")
"""The files that tokenizers are loaded from, the usual one first."""
_ADAPTER_CONFIG = "adapter_config.json"
"""The file by which transformers recognises an adapter."""
_NO_CODE = "memreason never runs code that comes with a model; use one that transformers knows by itself"
_COPY_AGAIN = "fetch or copy the folder again, or take another one (of a run: another checkpoint-…)"


@contextmanager
def loading(path: str, what: str) -> Iterator[None]:
    """Raise UserError where ``what`` cannot be loaded from ``path``, or only by running code that comes with it.

    Such code is never run, and the user is not asked to allow it: all loading here uses `trust_remote_code=False`.
    """
    kernels = "attn_implementation", "_attn_implementation"
    with suppress(OSError, ValueError, RecursionError, AttributeError):  # loading below reports these better
        config = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
        if code := [config[name] for name in kernels if "/" in str(config.get(name))]:
            raise UserError(f"{path}: its config.json asks for code from elsewhere ({code[0]}); {_NO_CODE}")
    with reading(f"{path} holds no {what} that transformers can load", _COPY_AGAIN):
        try:
            yield
        except UnpicklingError as error:  # its own message says how to allow the code
            raise ValueError("its weights are a pickle that holds more than tensors, which could be code") from error
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            raise UserError(
                f"{path}: its {what} is not one of transformers' own but comes as code (auto_map in a .json file); "
                f"{_NO_CODE}"
            ) from error


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """The tokenizer in ``path``. Its pad token is its own one, else its end token (padding is always masked).

    Raises UserError where there is no tokenizer, it is damaged, or it has no end token.
    """
    if Path(path).is_dir() and not any(any(Path(path).glob(pattern)) for pattern in _TOKENIZER_FILES):
        raise UserError(f"{path} holds no tokenizer (no {_TOKENIZER_FILES[0]}); {_COPY_AGAIN}")
    with loading(path, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        if not fits(tokenizer.model_max_length, float):
            raise TypeError(f"model_max_length is {tokenizer.model_max_length!r}, which is no number")
        tokenizer.decode(tokenizer.encode("a b"))
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer of {path} has no end token; memreason needs one to end solutions with")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal_lm(
    path: str,
    dtype: torch.dtype,
    bits: int | None = None,
    random_seed: int | None = None,
    device: torch.device | None = None,
    exact: bool = False,
) -> PreTrainedModel:
    """The model without adapters, on ``device`` (default: `choose_device()`).

    With a ``random_seed``, all its weights are drawn anew. With ``bits`` (8 or 4), bitsandbytes quantizes its linear
    layers; 4 bits are NF4 with doubly quantized scales.
    Raises UserError where bitsandbytes is missing; for 4 bits without CUDA, where training would go wrong; and where
    the files are damaged or lack weights (or, with ``exact``, hold weights that the model does not know).
    """
    options: dict[str, Any] = {"dtype": dtype}
    device = device or choose_device()
    _check_no_adapter(path)
    if bits:
        options |= {"quantization_config": _quantization(bits, dtype, device)}
        options |= {"device_map": {"": torch.cuda.current_device() if device.type == "cuda" else device.type}}
    with loading(path, "causal language model"):
        if random_seed is None:
            # transformers ignores weights of other shapes here; `check_loaded` names them.
            options |= {"output_loading_info": True, "ignore_mismatched_sizes": True, "trust_remote_code": False}
            model, info = AutoModelForCausalLM.from_pretrained(path, **options)
            check_loaded(path, model, info, exact)
        else:
            torch.manual_seed(random_seed)
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    if not bits:
        model.to(device)  # type: ignore[arg-type]
    if getattr(model.config, "rescale_every", 0):
        model.config.rescale_every = 0  # else RWKV halves weights in evaluation, which adapters and merging ignore
    # The model's own settings would sample, or penalise repetition (Qwen2.5), even where `generate` must be greedy.
    model.generation_config = GenerationConfig.from_model_config(model.config)
    return model


def _check_no_adapter(path: str) -> None:
    """Raise UserError where ``path`` holds an adapter: transformers would add it to the model, but training and merging
    would not know of it."""
    if (Path(path) / _ADAPTER_CONFIG).exists():
        raise UserError(
            f"{path} holds an adapter ({_ADAPTER_CONFIG}), and a model by itself is needed: merge the two into another "
            "folder (PEFT: AutoPeftModelForCausalLM.from_pretrained, merge_and_unload, save_pretrained) and give that "
            f"one; where the adapter is not meant, take {_ADAPTER_CONFIG} away"
        )


def without_weights(path: str) -> PreTrainedModel:
    """The model with weights that have shapes but no values. Raises UserError where there is no model in ``path``."""
    with loading(path, "causal language model"), torch.random.fork_rng(devices=[]), torch.device("meta"):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def multiplied_weights(path: str) -> int:
    """The number of weights that every token is multiplied by: all, except an embedding that is only looked up."""
    model = without_weights(path)
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    return sum(p.numel() for p in model.parameters()) - (0 if tied else model.get_input_embeddings().weight.numel())


def _quantization(bits: int, dtype: torch.dtype, device: torch.device) -> BitsAndBytesConfig:
    if bits == 4 and device.type != "cuda":
        # In evaluation, bitsandbytes 0.50 repacks such weights for its CPU kernels; after that there are no gradients.
        raise UserError(
            "4-bit weights need a CUDA GPU, and there is none here; leave out --int4_training / --load_in_4bit "
            "(on this hardware --dtype bfloat16 halves the memory instead)"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(f"{bits}-bit weights need the package bitsandbytes: pip install bitsandbytes")
    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def load_finite(
    folder: Path, dtype: torch.dtype, device: torch.device | None, bits: int | None = None
) -> PreTrainedModel:
    """The model of a checkpoint in mode `none`, which holds every weight.

    Raises UserError where a weight is missing, not known, or not finite.
    """
    model = load_causal_lm(str(folder), dtype, bits, device=device, exact=True)
    again = "take another checkpoint-… folder of the run, another --dtype, or train again"
    check_finite(model.named_parameters(), str(folder), again)
    return model
