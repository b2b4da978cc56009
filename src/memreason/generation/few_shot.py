"""Solved examples for the prompt, chosen from the training solutions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memreason.config.ablations import UNIFORM, AblationConfig
from memreason.config.data import DataConfig
from memreason.errors import UserError
from memreason.planning_tokens.prompt import INSTRUCTION
from memreason.records import Question, Solution
from memreason.tasks.assemble import question_key
from memreason.tasks.base import TaskData

if TYPE_CHECKING:
    from memreason.models.unit import ModelUnit


class Demonstrations:
    """Chooses ``count`` training solutions to show before a question: never its own, and never one of another split.

    The selection `uniform` draws them for each question, by ``seed`` and the question's id, so that a question always
    gets the same ones. `similar` takes the questions with the most similar texts, by the cosine of tf-idf vectors over
    the training questions, the most similar first. (The code of the planning-token paper compares sentence embeddings
    of questions together with their answers; at test time this reveals the answer.)

    Raises UserError where the train split is too small.
    """

    def __init__(self, task: TaskData, count: int, selection: str = UNIFORM, seed: int = 0):
        by_key = {
            question_key(solution.question): solution for solution in task.splits.get("train", []) if solution.steps
        }
        self.pool, self._keys = list(by_key.values()), list(by_key)
        if len(self.pool) <= count:
            raise UserError(
                f"--use_demonstrations --k_shot {count}: {task.name} has {len(self.pool)} solutions to train on, but "
                f"more than {count} are needed, since a question is never shown its own"
            )
        self.count, self.selection, self.seed = count, selection, seed

    def __call__(self, question: Question) -> Sequence[Solution]:
        """The solutions to show before ``question``."""
        own = question_key(question)
        if self.selection == UNIFORM:
            order: Any = random.Random(f"{self.seed} {question.id}").sample(range(len(self.pool)), self.count + 1)
        else:
            vectorizer, matrix = self._index
            order = (-(matrix @ vectorizer.transform([question.text]).T).toarray().ravel()).argsort(kind="stable")
        return [self.pool[i] for i in order[: self.count + 1] if self._keys[i] != own][: self.count]

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        """The vectorizer, and the matrix (pool, words) of the pool's questions, whose rows have length 1."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(sublinear_tf=True)
        return vectorizer, vectorizer.fit_transform([solution.question.text for solution in self.pool])


def demonstrations_of(ablations: AblationConfig, data: DataConfig, task: TaskData) -> Demonstrations | None:
    """The solved examples that stand before every question of a run with these options; None if it shows none."""
    if not ablations.use_demonstrations:
        return None
    return Demonstrations(task, data.k_shot, ablations.demo_selection, data.split_seed)


def draw_shots(task: TaskData, k_shot: int, seed: int) -> list[Solution]:
    """``k_shot`` solved examples from train, the same ones for every question. Raises UserError for too few."""
    solved = [solution for solution in task.splits.get("train", []) if solution.steps]
    if len(solved) < k_shot:
        raise UserError(f"--k_shot {k_shot}: the train split of {task.name} has {len(solved)} solutions to show")
    return random.Random(seed).sample(solved, k_shot)


def few_shot_text(unit: ModelUnit, solutions: Sequence[Solution]) -> str:
    """The text before a question for a base model: solved examples in the unit's own layout, with an empty line after
    each; without examples, an instruction."""
    layout = unit.layout
    if not solutions:
        return f"{INSTRUCTION}\n\n"
    return "".join(
        f"{layout.prompt_text(s.question)}{layout.solution_text(s.steps, s.question.answer)}\n\n" for s in solutions
    )
