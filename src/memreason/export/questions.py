"""The questions that an export is tried on: those of the checkpoint's own evaluation, else some of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memreason.config.run import recorded_options
from memreason.evaluation.files import EVALUATION, TRACES, read_traces
from memreason.records import Question

if TYPE_CHECKING:
    from memreason.models.unit import ModelUnit

_OURS = (
    ("Is Sydney the capital of Australia?", ()),
    ("Which city is the capital of Japan?", ("Seoul", "Tokyo", "Beijing", "Osaka")),
    ("Kenya uses the rupee. Is this true?", ()),
    ("Would a pear sink in water?", ()),
    ("A shop sells 48 clips in April and half as many in May. How many does it sell in both months?", ()),
    ("What is 12.5% of $1,200?", ("$15", "$150", "$1,500")),
    ("Is Kraków north of Łódź?", ()),
    ("東京は日本の首都ですか。", ()),
    ("Does 3 < 5 > 2 hold?", ("yes", "no")),
    ('Who wrote "The Old Man and the Sea"?', ("Ernest Hemingway", "Herman Melville")),
    ("It's Tom's 7th birthday; how old was he 3 years ago?", ()),
    ("Compute x^2 - 2x + 1 for x = -1.", ()),
    ("Can {{ braces }} and {% tags %} stand in a question?", ()),
    ("Are 🐧 birds?", ("True", "False")),
    ("Is a<b_0> a word?", ()),
    ("Do e-mails end with \\n or with a full stop.", ()),
    ("If all squares are rectangles and some rectangles are red, are some squares red?", ()),
    ("How many seconds are there in 2 hours 30 minutes?", ()),
    ("Lyon is in Italy, or Paris is in France. Is this true?", ()),
    ("?", ()),
)
"""(question, options). Some have signs that tokenizers and templates could stumble over."""


def questions_of(checkpoint: Path) -> dict[Question, str | None]:
    """Question → the text that `memreason evaluate` recorded as the model's answer to it, or None where there is none.

    There is none either where the evaluation did what other programs do not: it showed solved examples, or it computed
    the results in marks such as `<<48/2=24>>`.
    """
    path = checkpoint / EVALUATION / TRACES
    if not path.is_file():
        return {Question(f"ours-{i}", text, "", options): None for i, (text, options) in enumerate(_OURS)}
    options = recorded_options(checkpoint)
    alike = not (options.get("use_demonstrations") or options.get("use_calculator"))
    return {verdict.trace.question: verdict.trace.text if alike else None for verdict in read_traces(path)}


def fitting(unit: ModelUnit, questions: Sequence[Question]) -> list[Question]:
    """Those whose prompts leave room for an answer."""
    limit = unit.manifest.model_max_length
    return [question for question in questions if len(unit.layout.encode_prompt(unit.tokenizer, question)) < limit]


def some_of(questions: Sequence[Question], count: int) -> list[Question]:
    """``count`` of the questions (or all, where there are fewer), spread over them."""
    count = min(count, len(questions))
    return [questions[i * len(questions) // count] for i in range(count)]
