"""Writing a model folder of transformers as one GGUF file, tensor by tensor, and reading that file back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import (
    GGML_QUANT_SIZES,
    GGML_QUANT_VERSION,
    MODEL_ARCH_NAMES,
    GGMLQuantizationType,
    GGUFReader,
    GGUFWriter,
    LlamaFileType,
    quants,
)
from safetensors import safe_open
from tqdm.auto import tqdm
from transformers import AutoConfig

from memreason.errors import UserError
from memreason.export.gguf_architectures import Architecture, Tensors, architecture_of, context_length, write_fields
from memreason.export.gguf_vocabulary import Vocabulary, vocabulary
from memreason.models.weights import load_tokenizer

TYPES = {
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}
"""`--gguf_type` → the type of the matrices, and of the file."""


@dataclass(frozen=True)
class Source:
    """A model folder that can be written: its config's kind, its tensors, and its tokenizer as a vocabulary."""

    folder: Path
    kind: Architecture
    tensors: Tensors
    words: Vocabulary

    @property
    def context_length(self) -> int:
        """The longest text that the file will promise."""
        return context_length(self.tensors.config, self.kind)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        """(llama.cpp's name, values in float32) of every tensor; one at a time is in memory."""
        yield from self.tensors.more()
        for file in weight_files(self.folder):
            with safe_open(file, framework="pt") as opened:
                for theirs in opened.keys():  # noqa: SIM118 - it is no dict
                    if name := self.tensors.name(theirs):
                        yield name, self.tensors.form(theirs, opened.get_tensor(theirs))

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """(llama.cpp's name, shape) of every tensor, in the same order, without reading the values."""
        yield from ((name, tuple(tensor.shape)) for name, tensor in self.tensors.more())
        for file in weight_files(self.folder):
            with safe_open(file, framework="pt") as opened:
                for theirs in opened.keys():  # noqa: SIM118 - it is no dict
                    if name := self.tensors.name(theirs):
                        yield name, tuple(opened.get_slice(theirs).get_shape())


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, in the order of their names."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise UserError(f"{folder}: no model*.safetensors in it")
    return files


def open_source(folder: Path, planning_ids: set[int], end_id: int, chat: bool, place: object) -> Source:
    """The model in ``folder``, checked; the arguments are those of `vocabulary`.

    Raises UserError, which begins with ``place``, where it cannot be written.
    """
    outer = AutoConfig.from_pretrained(folder)
    config = outer.get_text_config()
    kind = architecture_of(config, place)
    tensors = Tensors(config, kind, place, wrapped=config is not outer)
    shapes = Source(folder, kind, tensors, None).shapes()  # type: ignore[arg-type]  # needs no vocabulary
    rows = next(shape[0] for name, shape in shapes if name == "token_embd.weight")
    words = vocabulary(load_tokenizer(str(folder)), rows, planning_ids, end_id, chat, place)
    return Source(folder, kind, tensors, words)


def write_gguf(source: Source, path: Path, gguf_type: str, name: str) -> None:
    """Write the model as a GGUF file named ``path``, with ``name`` as its title.

    Matrices get the type ``gguf_type``, one of `TYPES`; vectors stay in float32. Raises UserError where a weight does
    not fit into float16.
    """
    _, file_type = TYPES[gguf_type]
    logging.getLogger("gguf").setLevel(logging.WARNING)
    writer = GGUFWriter(path, MODEL_ARCH_NAMES[source.kind.arch])
    writer.add_type("model")
    writer.add_name(name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_sampling_temp(0.0)  # greedily, as the checkpoint was evaluated
    write_fields(writer, source.tensors.config, source.kind, len(source.words.tokens))
    source.words.write(writer)
    types = {}
    for tensor, shape in source.shapes():
        types[tensor] = type_of(shape, gguf_type)
        width, size = GGML_QUANT_SIZES[types[tensor]]
        writer.add_tensor_info(tensor, shape, np.dtype(np.float32), int(np.prod(shape)) // width * size, types[tensor])
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor, values in tqdm(source, total=len(types), desc=path.name, unit="tensor"):
            writer.write_tensor_data(_packed(tensor, values.numpy(), types[tensor]))
        writer.flush()
    finally:
        writer.close()


def type_of(shape: tuple[int, ...], gguf_type: str) -> GGMLQuantizationType:
    """The type of a tensor: float32 for vectors, and float16 for rows that do not divide into blocks."""
    if len(shape) == 1:
        return GGMLQuantizationType.F32
    type_ = TYPES[gguf_type][0]
    return type_ if shape[-1] % GGML_QUANT_SIZES[type_][0] == 0 else GGMLQuantizationType.F16


def _packed(name: str, values: np.ndarray, type_: GGMLQuantizationType) -> np.ndarray:
    with np.errstate(over="ignore"):
        packed = quants.quantize(np.ascontiguousarray(values), type_)
    if type_ == GGMLQuantizationType.F16 and not np.isfinite(packed).all():
        raise UserError(f"{name}: some weights are too large for float16; say --gguf_type bf16")
    return packed


ROUNDING = 0.05
"""The largest relative error of a tensor that rounding explains; with Q8_0 it stays below 0.01."""


def read_back(source: Source, path: Path) -> tuple[int, float]:
    """(number of tensors, largest relative error of one) in the file ``path``, compared with ``source``.

    The relative error of a tensor is the norm of the difference, divided by the norm. Raises UserError where the file
    holds other tensors or tokens, or where an error is more than rounding (`ROUNDING`).
    """
    reader = GGUFReader(path)
    written = {tensor.name: tensor for tensor in reader.tensors}
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    if tokens != source.words.tokens or list(written) != [name for name, _ in source.shapes()]:
        raise UserError(f"{path}: another file than the one that was written; export again")
    errors: dict[str, float] = {}
    for name, values in source:
        tensor = written[name]
        read = quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
        size = float(np.linalg.norm(values.numpy()))
        errors[name] = float(np.linalg.norm(read - values.numpy())) / (size or 1.0)
    if wrong := [name for name, error in errors.items() if not error <= ROUNDING]:  # NaN is wrong too
        raise UserError(
            f"{path}: {wrong[0]} is not what was written (relative error {errors[wrong[0]]:.1e}); check the disk, and "
            "export again"
        )
    return len(errors), max(errors.values())
