"""Comparing what llama.cpp does with a GGUF file with what the model does: ids, log-probabilities, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.export.config import ExportConfig
from memreason.export.gguf_run import Request, replies
from memreason.export.questions import fitting, questions_of, some_of
from memreason.generation.answer import generate
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.prompt import message_text
from memreason.records import Question, Trace

SEQUENCES, LONGEST = 8, 256
"""Log-probabilities are compared for so many questions with their answers, of at most so many tokens."""
TOLERANCE = 0.25
"""Largest mean difference of log-probabilities. Q8_0 gives 0.04, weights in a wrong order several."""
TEXTS = (
    "Is Lyon the capital of France?\nOptions: A. Yes B. No", "It's 3,141.59 and they'll've seen 1234567 of 'em.",
    "a  b   c\t\td\n\n\ne  \n f", "(x+y)**2 != x^2 # 50% <b>&amp;</b> [1] {2}", "snake_case camelCase UPPERCASE",
    "Größe, façade, naïve, Ærø, Łódź, ÉCOLE", "Привет, как дела? Αθήνα", "中文字符 日本語のテキスト 한국어",
    "नमस्ते สวัสดี مرحبا שלום", "🙂👍🏽 ½ ² Ⅳ \u00a0 \u2003 “quoted” – — …", "http://example.com/a?b=c&d=%20",
)  # fmt: skip
"""Texts on which the two tokenizers are compared, beside the prompts of questions."""


def compare(unit: ModelUnit, config: ExportConfig, path: Path, template: str | None) -> dict[str, str]:
    """Run the file ``path`` in llama.cpp, and compare it with ``unit``, the merged model; returns what was found.

    ``template`` is the chat template in the file, in which questions are put. Answers may differ, since llama.cpp
    rounds in its own way. Raises UserError where token ids differ, or where log-probabilities differ by more than
    rounding.
    """
    tokenizer, names = unit.tokenizer, unit.manifest.token_ids
    questions = fitting(unit, list(questions_of(config.checkpoint)))
    tried = some_of(questions, config.verify_questions)
    prompts = [unit.layout.encode_prompt(tokenizer, question) for question in tried]
    traces = generate(unit, tried, progress="answers of the model") if tried else []
    sequences = [
        [*prompt, *tokenizer.encode(trace.text, add_special_tokens=False)][:LONGEST]
        for prompt, trace in zip(prompts[:SEQUENCES], traces, strict=False)
    ]
    others = [*TEXTS, *names]
    expected = [tokenizer.encode(text, add_special_tokens=False) for text in others]
    expected += [list(_chat(unit, question, tokenize=True)) for question in questions]
    texts = others + [_chat(unit, question, tokenize=False, chat_template=template) for question in questions]
    longest = unit.manifest.model_max_length
    request = Request(str(path), texts, list(names.values()), prompts, sequences, unit.end_id, longest)
    count = len(texts) + len(names) + len(prompts) + len(sequences)
    given = iter(tqdm(replies(request), total=count, desc="llama.cpp"))
    _compare_ids(path, texts, list(islice(given, len(texts))), expected)
    if list(islice(given, len(names))) != list(names):
        raise UserError(f"{path.name}: llama.cpp does not print every planning token by its name")
    checks = {"token_ids": f"equal for {len(questions)} prompts and {len(others)} other texts"}
    written = list(islice(given, len(prompts)))
    rest = list(given)
    if tried:
        checks["log_probabilities"] = _compare_log_probabilities(path, _log_probabilities(unit, sequences), rest)
        checks |= _compare_traces(unit, prompts, traces, written)
    return checks


def _chat(unit: ModelUnit, question: Question, **options: Any) -> Any:
    """The question as a chat's first message."""
    messages = [{"role": "user", "content": message_text(question)}]
    return unit.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, **options)


def _compare_ids(path: Path, texts: list[str], given: list[list[int]], expected: list[list[int]]) -> None:
    for text, theirs, ours in zip(texts, given, expected, strict=True):
        if ours != theirs:
            raise UserError(
                f"{path.name}: llama.cpp's tokenizer gives other ids than the model's for {text[:80]!r}: {theirs[:12]} "
                f"instead of {ours[:12]}; export with --to merged, and serve that folder with transformers or vLLM"
            )


def _compare_traces(
    unit: ModelUnit, prompts: list[list[int]], ours: Sequence[Trace], written: list[list[int]]
) -> dict[str, str]:
    """How many traces and answers are equal, in words; of the others, how undecided the model itself is there."""
    prefix = "".join(unit.layout.prefix)
    theirs = [
        unit.layout.parse(trace.question, prefix + unit.tokenizer.decode(ids, skip_special_tokens=False))
        for trace, ids in zip(ours, written, strict=True)
    ]
    same = [a.text == b.text for a, b in zip(ours, theirs, strict=True)]
    parted = [each for each, equal in zip(zip(prompts, ours, written, strict=True), same, strict=True) if not equal]
    leads = [_lead(unit, *each) for each in parted]
    traces = f"{sum(same)} of {len(same)} equal to those in {unit.manifest.dtype}"
    if leads:
        traces += (
            f"; where the others part, the model's token leads by {np.median(leads):.1e} (median, log-probability)"
        )
    return {
        "traces": traces,
        "answers": f"{sum(a.answer == b.answer for a, b in zip(ours, theirs, strict=True))} of {len(same)} equal",
    }


def _lead(unit: ModelUnit, prompt: list[int], ours: Trace, theirs: list[int]) -> float:
    """By how much the model prefers its own token to llama.cpp's, where the two first differ."""
    text = ours.text.removeprefix("".join(unit.layout.prefix))
    own = [*unit.tokenizer.encode(text, add_special_tokens=False), unit.end_id]
    pairs = list(zip(own, [*theirs, unit.end_id], strict=False))
    at = next((place for place, (a, b) in enumerate(pairs) if a != b), len(pairs) - 1)
    before = [*prompt, *own[:at]]
    first, second = _log_probabilities(unit, [[*before, token] for token in pairs[at]])
    return first[-1] - second[-1]


@torch.no_grad()
def _log_probabilities(unit: ModelUnit, sequences: list[list[int]]) -> list[list[float]]:
    """The log-probability of each token but the first, by a plain forward pass."""
    found = []
    with unit.merged() as model:
        for ids in sequences:
            row = torch.tensor([ids], device=unit.device)
            logits = model(input_ids=row).logits[0, :-1].float().log_softmax(-1)
            found.append(logits.gather(-1, row[0, 1:, None])[:, 0].tolist())
    return found


def _compare_log_probabilities(path: Path, ours: list[list[float]], theirs: list[list[float]]) -> str:
    """The mean difference, in words. Raises UserError where it is too large for rounding."""
    differences = np.abs(np.concatenate(ours) - np.concatenate(theirs))
    if not (error := float(differences.mean())) <= TOLERANCE:
        raise UserError(
            f"{path.name}: llama.cpp computes something else than the model: the log-probabilities of tokens differ by "
            f"{error:.2f} on average; please report this, with the name of the base model"
        )
    return f"mean difference {error:.1e} over {len(differences)} tokens"
