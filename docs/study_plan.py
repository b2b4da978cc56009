"""What the atlas study will be able to show, by the planning function of `memreason compare`: docs/study/plan.json.

python docs/study_plan.py     # before the study runs; the page shows the file, and it is not made again afterwards
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from memreason.compare.statistics.power import Plan
from memreason.study.recipe import find_study, read_study
from memreason.tasks.atlas.about import country_of
from memreason.tasks.registry import load_task

FILE = Path(__file__).parent / "study" / "plan.json"
DISCORDANT = 0.26
"""Of the pilot: 6 points between two arms of 100 questions with p = 0.33 are 16 against 10 questions that differ."""
RUNS, SPREADS, ALIKE = (3, 5, 8), (0.0, 0.01, 0.02), (0.0, 0.05)


def main() -> None:
    """Write the smallest differences for all assumptions."""
    shared = {option.name: option.values[0] for option in read_study(find_study("study-atlas")).shared}
    names = ("num_train", "num_test", "num_countries")
    task = load_task("atlas", sizes={name: int(shared[name]) for name in names},
                     num_validation=int(shared["num_validation"]))  # fmt: skip
    rows = []
    for split in task.test_splits:
        questions = [solution.question for solution in task.splits[split]]
        clusters = len({country_of(question) for question in questions})
        for runs, spread, alike in product(RUNS, SPREADS, ALIKE):
            plan = Plan(len(questions), (runs, runs), DISCORDANT, None, spread, clusters, alike)
            rows.append({"split": split, "questions": len(questions), "clusters": clusters, "runs": runs,
                         "seed_spread": spread, "cluster_correlation": alike, "smallest": plan.smallest()})  # fmt: skip
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({"format": 1, "discordant": DISCORDANT, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
