"""What the two papers claim, how the study tests it, and the rules by which figures become verdicts.

A claim that one arm is better than another is *confirmed* where it is so on every test split with p < 0.05, adjusted by
Holm's method for all such tests of the list; *confirmed in part* where on some; else *not confirmed*. A claim that a
share is high is confirmed where its whole 95% interval lies above the bound, on every split; that one is larger than
another, where its interval lies above the other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study_results import SPLITS, Json, Study, decided, said

from memreason.compare.show.numbers import form_of
from memreason.compare.statistics.multiple import holm

JIN = "Jin et al."
WANG = "Wang et al."
ATLAS = "`memreason study study-atlas`"
CONFIRMED, PART, NOT, UNTESTED = "confirmed", "confirmed in part", "not confirmed", "not testable here"
YET = "not run yet"


@dataclass(frozen=True)
class Better:
    """The second arm has a better figure than the first."""

    second: str
    first: str
    measure: str = "accuracy"


@dataclass(frozen=True)
class Above:
    """The arm's share lies above a bound."""

    arm: str
    measure: str
    bound: float


@dataclass(frozen=True)
class More:
    """Of the arm's answers, more have the one property than the other."""

    arm: str
    measure: str
    than: str


@dataclass(frozen=True)
class Claim:
    """One claim: in our words, where it stands, the paper's figures, and how it is tested here."""

    text: str
    source: str
    reported: str
    test: Better | Above | More | None
    command: str
    why: str = ""
    """Why it is not testable here."""


CLAIMS = (
    Claim(
        "Memory and reason tokens give more right answers than fine-tuning without them.",
        f"{JIN}, Table 1, “LoRA”; there the baseline was trained on other solutions",
        "+1.9 to +9.5 points in nine comparisons", Better("typed", "plain"), ATLAS,
    ),
    Claim(
        "They give more right answers than general planning tokens.",
        f"{JIN}, Table 1, “Planning-token”", "+1.2 to +7.1 points", Better("typed", "prefix"), ATLAS,
    ),
    Claim(
        "It is the types that help: with types shuffled over the steps, accuracy falls.",
        f"{JIN}, section 3.3.1 and Table 2", "2.1 to 7.8 points lower in six comparisons", Better("typed", "shuffled"),
        ATLAS,
    ),
    Claim(
        "Types add to what as many tokens of one type give.",
        "Our question",
        f"the papers have no such control; {JIN}, section 3.3.2, say that more tokens help by themselves",
        Better("typed", "shared"), ATLAS,
    ),
    Claim(
        "The fine-tuned model is better than the base model with a prompt for chain of thought.",
        f"{JIN}, Table 1, “CoT”, 8B and 7B", "+4.8 to +36.0 points", Better("typed", "few-shot"), ATLAS,
    ),
    Claim(
        "The tokens tell recalling from reasoning: the type fits what the step says.",
        f"{JIN}, section 3.4.1, judged by GPT-4o-mini",
        "89 to 94% of memory steps, 71 to 78% of reason steps; the bound of 90% is ours, and easy to reach where "
        "solutions are made from patterns",
        Above("typed", "types_fit", 0.9), ATLAS,
    ),
    Claim(
        "Most wrong answers come from bad reasoning, not from false memories.",
        f"{JIN}, section 3.4.3 and Table 7, judged by GPT-4o", "78 to 98% of the errors",
        More("typed", "error:wrong_inference", "error:false_memory"), ATLAS,
    ),
    Claim(
        "A planning token before each step gives more right answers than plain fine-tuning.",
        f"{WANG}, abstract", "its tables were not at hand", Better("prefix", "plain"), ATLAS,
    ),
    Claim(
        "Typed planning tokens before each step give more than one line's tokens, untyped, once at the front.",
        f"{WANG}, an ablation of its code (`--only_at_front`)", "its tables were not at hand",
        Better("typed", "front"), ATLAS,
    ),
    Claim(
        "An 8B model trained so is better than GPT-4o on TruthfulQA, and 2.2 points below it on StrategyQA.",
        f"{JIN}, section 1 and Table 1", "86.6% against 85.4%; 78.6% against 80.8%", None,
        "`memreason study paper-truthfulqa`, `memreason study paper`", "needs hours of a GPU, 8B models and GPT-4o",
    ),
    Claim(
        "Four to six type tokens are best.",
        f"{JIN}, section 3.3.2, Tables 3 and 4", "0 to 6 tokens, two datasets", None,
        "`memreason study` with arms that differ in `num_special_prefix_tokens`",
        "a question about 7B models; not an arm of this study",
    ),
    Claim(
        "The special tokens get more attention than others, and so lead what is generated.",
        f"{JIN}, section 3.4.2, one head on two examples", "no figures", None, "`memreason attention runs/demo`",
        "no figure is claimed; where our small models look is in the log",
    ),
    Claim(
        "Training teaches more than facts: fewer than 10% of the memories of test answers are in the training set.",
        f"{JIN}, appendix B.1", "Jaccard similarity below 10%", None, "–",
        "its threshold (a cosine of 0.2) calls unlike texts alike; here facts seen and unseen are splits of their own",
    ),
)  # fmt: skip


def verdicts(study: Study | None) -> list[tuple[str, str]]:
    """(verdict, what it rests on) of each claim, by the rules above."""
    if study is None:
        return [(UNTESTED, claim.why) if claim.test is None else (YET, "") for claim in CLAIMS]
    tests = [
        (claim, split, pair)
        for claim in CLAIMS
        if isinstance(claim.test, Better)
        for split in study.splits
        if (pair := study.pair(claim.test.second, claim.test.first, split, claim.test.measure))
    ]
    adjusted = holm([pair["p"] for _, _, pair in tests])
    by_claim: dict[str, list[tuple[str, dict[str, Any], float]]] = {}
    for (claim, split, pair), p in zip(tests, adjusted, strict=True):
        by_claim.setdefault(claim.text, []).append((split, pair, p))
    return [_verdict(study, claim, by_claim.get(claim.text, ())) for claim in CLAIMS]


def _verdict(study: Study, claim: Claim, tests: Sequence[tuple[str, Json, float]]) -> tuple[str, str]:
    test = claim.test
    if test is None:
        return UNTESTED, claim.why
    if isinstance(test, Better):
        results = [(split, pair, p, study.result(split, test.measure)) for split, pair, p in tests]
        words = [f"{named(split)}: {said(pair, p, result)}" for split, pair, p, result in results if result]
        held = [decided(pair, p, result) == "better" for _, pair, p, result in results if result]
        return _word(held), "; ".join(words)
    return _of_shares(study, test)


def _of_shares(study: Study, test: Above | More) -> tuple[str, str]:
    held, words = [], []
    for split in study.splits:
        rate, result = study.rate(test.arm, split, test.measure), study.result(split, test.measure)
        if rate is None or result is None:
            continue
        form = form_of(result)
        if isinstance(test, Above):
            held.append(rate["interval"][0] > test.bound)
            words.append(f"{named(split)}: {form.rate(rate)}, to be above {form.figure(test.bound)}%")
            continue
        other = study.rate(test.arm, split, test.than)
        if other is None:
            continue
        held.append(rate["interval"][0] > other["interval"][1])
        of_errors = _of_errors(study, split, test)
        words.append(f"{named(split)}: {form.rate(rate)} of all answers against {form.rate(other)}{of_errors}")
    return _word(held), "; ".join(words)


def _of_errors(study: Study, split: str, test: More) -> str:
    """The same as shares of the wrong answers, and those of the causes beside them."""
    right = study.rate(test.arm, split, "accuracy")
    causes = (test.measure, test.than, "error:missing_memory")
    rates = [study.rate(test.arm, split, cause) for cause in causes]
    if right is None or None in rates:
        return ""
    shares = [f"{rate['value'] / (1 - right['value']):.0%}" for rate in rates if rate]
    return f", of the errors {shares[0]} against {shares[1]}; {shares[2]} come from a missing memory"


def _word(held: Sequence[bool]) -> str:
    if not held:
        return YET
    return CONFIRMED if all(held) else PART if any(held) else NOT


def named(split: str) -> str:
    """The split in words."""
    return SPLITS.get(split, split)
