"""An explanation written by hand, small and whole: each part of explanation.json once, and four answers."""

import copy
from typing import Any

HOSTILE = '</script><img src=x onerror="window.hacked=1"><!--\u2028\u202e\'"&amp;{{7*7}}'
"""Text that ends a script, runs one, hides or turns round what follows, or is a template."""


def _step(type: str, text: str, truth: bool | None, logprob: float) -> dict[str, Any]:
    return {"type": type, "text": text, "kind": None if truth is None else type, "truth": truth, "logprob": logprob}


def _trace(
    id: str, question: str, gold: str, answer: str | None, steps: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    outcome = "no_answer" if answer is None else "correct" if answer == gold else "incorrect"
    row: dict[str, Any] = {
        "id": id, "split": "test", "family": id.split("-")[0], "question": question, "options": [], "gold": gold,
        "answer": answer, "outcome": outcome, "cause": None, "grounds": None, "steps": steps, "answer_truth": True,
        "answer_logprob": -0.01, "first_wrong": None, "importance": None, "edits": None, "attention": None,
        "before": {"answer": None, "outcome": "no_answer"},
    }  # fmt: skip
    return row | more


_KENYA = [_step("memory", "Kenya is in Asia.", False, -0.9), _step("reason", "So 2.5 (or 3) is false.", True, -0.1)]
_TRACES = [
    _trace("continent-0", "Is Kenya in Africa?", "True", "False", _KENYA, cause="false_memory", first_wrong=0,
           importance=[0.625, 0.125], edits={
               "memories_corrected": {"steps": [{"type": "memory", "text": "Kenya is in Africa."},
                                                {"type": "reason", "text": "So it is true."}],
                                      "answer": "True", "given": 1, "rule": "True", "outcome": "correct"},
               "step_removed": {"steps": [{"type": "reason", "text": "So 2.5 (not 2) is false."}], "answer": "False",
                                "given": 1, "rule": None, "outcome": "incorrect"}},
           attention={"spans": [{"name": "question", "type": "question", "step": None},
                                {"name": "step 1", "type": "memory", "step": 0},
                                {"name": "step 2", "type": "reason", "step": 1}],
                      "step_map": [[1.0], [0.5, 0.5], [0.25, 0.625, 0.125]], "mass": {"memory": 0.625}, "heads": []}),
    _trace("continent-1", "Is Peru in Asia?", "False", "True",
           [_step("memory", "Peru is in America.", True, -0.2), _step("reason", "So it is true.", False, -0.4)],
           cause="wrong_inference", first_wrong=1),
    _trace("currency-0", "Which money has Kenya?", "B", "B",
           [_step("memory", "The money of Kenya is the shilling.", True, -0.05)], options=["euro", "shilling"],
           grounds="sound"),
    _trace("currency-1", "Which money has Peru?", "A", None, [_step("memory", "Hm.", None, -2.5)], options=["sol"]),
]  # fmt: skip
_INTERVAL = [0.05, 0.699]
_ACCURACY = {"accuracy": 0.25, "interval": _INTERVAL, "n": 4}
_ROW = _ACCURACY | {"correct": 1, "incorrect": 2, "no_answer": 1, "memory_true": 2 / 3}
_EDITS = {"n": 3, "edited": 1, "changed": 1 / 3, "accuracy_before": 0.25, "accuracy_after": 0.5, "difference": 0.25,
          "interval_of_difference": [-0.1, 0.45], "as_the_rule_says": 1.0, "as_the_rule_says_n": 1,
          "followed": {"n": 1, "share": 1.0}}  # fmt: skip
_OF_KIND = {"n": 5, "precision": 0.8, "recall": None, "kappa": 0.5, "unverifiable": 0.2}

_WHOLE: dict[str, Any] = {
    "format": 1,
    "run": {"name": "small", "dataset": "atlas", "base_model": "tiny", "mode": "lora", "placement": "each_step",
            "dtype": "float32", "recorded_repeated": 3, "regenerated": 4, "memreason": "0.1.0"},
    "accuracy": {"before": {"test": _ACCURACY | {"accuracy": 0.0}}, "after": {"test": _ACCURACY},
                 "difference": {"test": {"value": 0.25, "interval": [-0.2, 0.6], "n": 4, "p": 0.0004, "smallest": 0.5,
                                         "outcomes": {"both": 0, "only_first": 0, "only_second": 1, "neither": 3}}}},
    "metrics": {"before": {"overall": _ROW, "splits": {"test": _ROW | {"accuracy": 0.0}}},
                "after": {"overall": _ROW, "splits": {"test": _ROW}}},
    "sentences": ["One of four answers is right.", "One rests on a false memory.", "Corrected, two would be right."],
    "notes": ["The splits are small."],
    "epochs": [{"epoch": 1, "accuracy": 0.1, "interval": _INTERVAL, "n": 4, "memory_true": 0.5, "reason_valid": None,
                "loss": 1.25},
               {"epoch": 2, "accuracy": 0.25, "interval": _INTERVAL, "n": 4, "memory_true": 0.6, "reason_valid": 0.4,
                "loss": 0.5}],
    "errors": {"test": {"false_memory": 1, "wrong_inference": 1}},
    "right": {"test": {"sound": 1}},
    "types_fit": {"test": 0.9},
    "families": {"continent": {"n": 2, "correct": 0, "errors": {"false_memory": 1, "wrong_inference": 1}},
                 "currency": {"n": 2, "correct": 1, "errors": {}}},
    "facts": [{"fact": "the continent of Kenya", "true": "Africa", "n": 2, "false": 1, "traces": ["continent-0"],
               "said": {"Asia/~": 1, "Africa": 1}}],
    "confidence": {"n": 3, "auroc": 1.0, "auroc_interval": None, "ece": 0.2, "mean_true": 0.85, "mean_false": 0.4,
                   "bins": [{"low": 0.3, "high": 0.5, "n": 1, "confidence": 0.4, "true": 0.0},
                            {"low": 0.8, "high": 1.0, "n": 2, "confidence": 0.88, "true": 1.0}]},
    "positions": [{"position": 1, "counts": {"memory": 4}}, {"position": 2, "counts": {"reason": 2}}],
    "lengths": {"steps": {"correct": {"count": 1, "mean": 1.0, "width": 1, "histogram": [[1, 1]]},
                          "incorrect": {"count": 2, "mean": 2.0, "width": 1, "histogram": [[2, 2]]}},
                "tokens": {"correct": {"count": 1, "mean": 12.0, "width": 5, "histogram": [[10, 1]]},
                           "incorrect": {"count": 2, "mean": 17.5, "width": 5, "histogram": [[15, 1], [20, 1]]}}},
    "interventions": {"memories_corrected": _EDITS | {"only": _EDITS}, "no_edit": _EDITS | {
        "edited": 0, "changed": 0.0, "as_the_rule_says": None, "as_the_rule_says_n": 0, "only": None}},
    "attribution": {"n": 2, "repaired": {"memories": 1, "inference": 1, "either": 0, "both_only": 0, "neither": 0},
                    "table": [[0, 1], [1, 0]], "agreement": {"share": 1.0, "kappa": None, "n": 2},
                    "by_cause": {"false_memory": {"memories": 1}, "wrong_inference": {"inference": 1}}},
    "importance": {"n": 1, "samples": 8, "temperature": 1.0,
                   "by_type": {"memory": {"mean": 0.625, "interval": [0.5, 0.7], "n": 1, "by_chance": 0.1}},
                   "by_position": [{"position": 1, "mean": 0.625, "interval": None, "n": 1}]},
    "judges": [{"name": "reference", "agreement": {"judge": "reference", "on": "atlas traces", "traces": 4,
                                                   "kinds": {"memory": _OF_KIND}}}],
    "attention": {"n": 1, "mass": {"memory": 0.6, "question": 0.4},
                  "heads": [{"layer": 3, "head": 1, "mass_on_memory": 0.7}]},
    "traces": _TRACES,
    "config": {"seed": 42, "lora_r": 16},
    "computed": {"accuracy": "Counted.", "epochs": "Counted on the validation split.", "facts": "Read from a table."},
}  # fmt: skip


def explanation(**parts: Any) -> dict[str, Any]:
    """A fresh copy, with some parts replaced."""
    return copy.deepcopy(_WHOLE) | parts


def with_texts(text: str) -> dict[str, Any]:
    """The same with ``text`` in every place where words of a model, of data or of a user can stand."""
    hostile = explanation()
    hostile["run"] |= {
        name: text for name in ("name", "dataset", "base_model", "mode", "placement", "dtype", "memreason")
    }
    hostile |= {"sentences": [text] * 3, "notes": [text], "config": {text: text}, "computed": {"facts": text}}
    hostile["facts"][0] |= {"fact": text, "true": text, "said": {text: 1}, "traces": [text]}
    hostile["families"] = {text: hostile["families"]["continent"]}
    hostile["positions"][0]["counts"] = {text: 4}
    hostile["errors"]["test"][text] = 1
    hostile["judges"][0]["name"] = text
    for part in ("accuracy", "metrics"):
        for when in ("before", "after"):
            rows = hostile[part][when].get("splits", hostile[part][when])
            rows[text] = rows["test"]
    trace = hostile["traces"][0]
    trace |= {name: text for name in ("id", "family", "question", "gold", "answer", "cause", "split")}
    trace |= {"options": [text], "before": {"answer": text, "outcome": text}}
    trace["steps"][0] |= {"type": text, "text": text}
    trace["edits"] = {text: {"steps": [{"type": text, "text": text}], "answer": text, "given": 1, "rule": text,
                             "outcome": text}}  # fmt: skip
    trace["attention"]["spans"][0] |= {"name": text, "type": text}
    return hostile
