"""`--to gguf`: one file for llama.cpp and what is built on it (llama-server, Ollama, LM Studio)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import AutoConfig

from memreason.config.run import read_config
from memreason.errors import UserError
from memreason.export.base import MARKER, Exported, check_output, files_in, new_folder
from memreason.export.config import ExportConfig
from memreason.export.gguf_architectures import architecture_of
from memreason.export.gguf_file import Source, open_source, read_back, write_gguf
from memreason.export.gguf_run import Request, is_installed, replies
from memreason.export.merged import write_merged
from memreason.generation.answer import generate
from memreason.models.base import base_of
from memreason.models.load import load
from memreason.models.manifest import Manifest, read_manifest
from memreason.models.unit import ModelUnit
from memreason.models.weights import load_tokenizer
from memreason.planning_tokens.prompt import CHAT, chat_text
from memreason.records import Question
from memreason.runtime.files import write_json
from memreason.tasks.load import load_data

QUESTIONS, SEQUENCES, LONGEST = 20, 8, 256
"""Questions that are answered to compare, of how many of them log-probabilities are compared, and tokens of each."""
TOLERANCE = 0.25
"""Largest mean difference of log-probabilities. Q8_0 gives 0.04, a wrong order of weights several."""
TEXTS = (
    "Is Lyon the capital of France?\nOptions: A. Yes B. No", "It's 3,141.59 and they'll've seen 1234567 of 'em.",
    "a  b   c\t\td\n\n\ne  \n f", "(x+y)**2 != x^2 # 50% <b>&amp;</b> [1] {2}", "snake_case camelCase UPPERCASE",
    "Größe, façade, naïve, Ærø, Łódź, ÉCOLE", "Привет, как дела? Αθήνα", "中文字符 日本語のテキスト 한국어", "नमस्ते สวัสดี مرحبا שלום",
    "🙂👍🏽 ½ ² Ⅳ \u00a0 \u2003 “quoted” – — …", "http://example.com/a?b=c&d=%20",
)  # fmt: skip
"""Texts on which the two tokenizers are compared, beside the prompts of questions."""


def export(config: ExportConfig) -> Exported:
    """Write the merged model as a GGUF file, verify it, and return what was written.

    The file is read back in any case; it is run where llama-cpp-python is installed. Raises UserError, and leaves
    nothing behind, for a model or tokenizer that llama.cpp does not have exactly, and where a check fails.
    """
    check_output(config.folder, config.overwrite_output_dir)
    manifest = read_manifest(config.checkpoint)
    _check_kind(config, manifest)
    name = config.checkpoint.resolve().name
    config.folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".merged.", dir=config.folder.parent) as merged,
        new_folder(config.folder, config.overwrite_output_dir) as folder,
    ):
        write_merged(config.checkpoint, Path(merged), config.base_model_name_or_path, config.dtype)
        end_id = manifest.planning_tokens.end_id(load_tokenizer(str(config.checkpoint)))
        source = open_source(Path(merged), set(manifest.token_ids.values()), end_id, config.checkpoint)
        path = folder / f"{name}-{config.gguf_type.upper()}.gguf"
        write_gguf(source, path, config.gguf_type, name)
        checks, notes = _verify(config, source, path)
        write_json(folder / MARKER, {"to": config.to, "base_model": manifest.base_model, "checks": checks})
    return Exported(config.folder, files_in(config.folder), checks, notes)


def _check_kind(config: ExportConfig, manifest: Manifest) -> None:
    """Raise UserError, before anything is loaded, where llama.cpp cannot have this model."""
    if manifest.sparse_attention:
        raise UserError(f"{config.checkpoint}: its attention is sparse, which llama.cpp does not compute")
    if manifest.parameter_efficient_mode == "none":
        base = str(config.checkpoint)
    else:
        base = base_of(
            config.checkpoint, manifest.base_model, manifest.base_revision, config.base_model_name_or_path
        ).path
    architecture_of(AutoConfig.from_pretrained(base).get_text_config(), config.checkpoint)


# ---- verification ------------------------------------------------------------------------------


def _verify(config: ExportConfig, source: Source, path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(what was verified, notes). Raises UserError where the file is not the model."""
    tensors, error = read_back(source, path)
    checks: dict[str, Any] = {"tensors": f"{tensors} read back; largest relative error of one {error:.1e}"}
    notes = list(source.words.notes)
    if source.context_length < source.tensors.config.max_position_embeddings:
        notes.append(f"llama.cpp has no windows for this model, so texts end at {source.context_length} tokens.")
    if not is_installed():
        notes.append("The file was not run, since llama-cpp-python is not installed (pip install llama-cpp-python).")
        return checks, tuple(notes)
    unit = load(config.checkpoint, config.base_model_name_or_path, config.dtype)
    questions = _questions(config.checkpoint)
    if not questions:
        notes.append("No traces were compared, since the questions of the checkpoint's dataset cannot be loaded.")
    return checks | _run(unit, source, path, questions), tuple(notes)


def _questions(checkpoint: Path) -> list[Question]:
    """The first questions of the checkpoint's test split; none where its dataset cannot be loaded."""
    try:
        task = load_data(read_config(checkpoint).data)
    except UserError:
        return []
    return [solution.question for solution in islice(task.splits[task.test_splits[0]], QUESTIONS)]


def _run(unit: ModelUnit, source: Source, path: Path, questions: Sequence[Question]) -> dict[str, Any]:
    """Run the file in llama.cpp, and compare ids, log-probabilities and traces with those of ``unit``."""
    layout, tokenizer = unit.layout, unit.tokenizer
    prompts = [layout.encode_prompt(tokenizer, question) for question in questions]
    traces = generate(unit, questions, progress="memreason") if questions else []
    texts = [(text, False) for text in TEXTS] + [_prompt_text(unit, question) for question in questions]
    expected = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS] + prompts
    names = unit.manifest.token_ids
    sequences = [
        [*prompt, *tokenizer.encode(trace.text, add_special_tokens=False)][:LONGEST]
        for prompt, trace in zip(prompts[:SEQUENCES], traces, strict=False)
    ]
    request = Request(
        str(path), texts + [(name, False) for name in names], list(names.values()), prompts, sequences, unit.end_id,
        unit.manifest.model_max_length,
    )  # fmt: skip
    count = len(request.texts) + len(request.tokens) + len(prompts) + len(sequences)
    given = iter(tqdm(replies(request), total=count, desc="llama.cpp", leave=False))
    _compare_ids(path, request, list(islice(given, len(texts))), expected)
    ids, shown = list(islice(given, len(names))), list(islice(given, len(names)))
    if ids != [[id] for id in names.values()] or shown != list(names):
        raise UserError(f"{path.name}: llama.cpp does not read and print every planning token as one token")
    checks = {"token_ids": f"equal for {len(questions)} prompts, {len(TEXTS)} other texts, {len(names)} planning tokens"}
    if not questions:
        return checks | dict.fromkeys(given)
    ours = [trace.text for trace in traces]
    theirs = [_text(unit, written) for written in islice(given, len(prompts))]
    error = _compare_log_probabilities(path, _log_probabilities(unit, sequences), list(given))
    same = sum(one == other for one, other in zip(ours, theirs, strict=True))
    return checks | {
        "log_probabilities": f"mean difference {error:.4f} over {sum(map(len, sequences))} tokens",
        "greedy_traces": f"{same} of {len(ours)} equal to those in {unit.manifest.dtype}, {1 - same / len(ours):.0%} differ",
    }


def _prompt_text(unit: ModelUnit, question: Question) -> tuple[str, bool]:
    """The prompt as text, and whether the begin token is to be put before it."""
    text, prefix = unit.layout.prompt_text(question), "".join(unit.layout.prefix)
    if unit.layout.prompt_template == CHAT:
        return chat_text(unit.tokenizer, [text.strip()]) + prefix, False
    return text + prefix, True


def _text(unit: ModelUnit, ids: list[int]) -> str:
    return "".join(unit.layout.prefix) + unit.tokenizer.decode(ids, skip_special_tokens=False)


def _compare_ids(path: Path, request: Request, given: list[list[int]], expected: list[list[int]]) -> None:
    for (text, _), ids, ours in zip(request.texts, given, expected, strict=False):
        if ids != ours:
            raise UserError(
                f"{path.name}: llama.cpp's tokenizer gives other ids than the model's for {text[:80]!r}: {ids[:12]} "
                f"instead of {ours[:12]}; export with --to merged, and serve the model with transformers or vLLM"
            )


@torch.no_grad()
def _log_probabilities(unit: ModelUnit, sequences: list[list[int]]) -> list[list[float]]:
    """The log-probability of each token but the first, by a plain forward pass."""
    with unit.merged() as model:
        rows = [torch.tensor([ids], device=unit.device) for ids in sequences]
        logits = [model(input_ids=ids).logits[0, :-1].float().log_softmax(-1) for ids in rows]
    return [each.gather(-1, ids[0, 1:, None])[:, 0].tolist() for each, ids in zip(logits, rows, strict=True)]


def _compare_log_probabilities(path: Path, ours: list[list[float]], theirs: list[list[float]]) -> float:
    """The mean absolute difference. Raises UserError where it is too large for rounding."""
    error = float(np.abs(np.concatenate(ours) - np.concatenate(theirs)).mean())
    if not error <= TOLERANCE:
        raise UserError(
            f"{path.name}: llama.cpp computes something else than the model: its log-probabilities differ by "
            f"{error:.2f} on average; please report this, with the name of the base model"
        )
    return error
