"""Draft tokens: ids that are likely to follow the generated ones, so that one forward pass can read several tokens.

They come from the layout, which almost decides some tokens, and from what followed the same few ids in other answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from memreason.planning_tokens.layout import EACH_STEP, PlanningTokens
from memreason.planning_tokens.names import ANSWER
from memreason.planning_tokens.prompt import ANSWER_PHRASE

_CONTEXTS = (5, 3, 2)
"""Lengths of the contexts that are looked up, in ids; the longest known context decides."""
_MOST = 6
"""The most ids that are drafted at once."""
_WORTH = 0.5
"""An id is drafted only if the chance that it and all draft ids before it are right is at least this. To read a draft
id takes about half as long as a step of its own, even while many answers are generated."""
_CONTEXTS_KEPT = 1 << 18
"""When more contexts than this are known (about 50 MB), all are forgotten."""


class DraftTokens:
    """Drafts the ids that are likely to follow.

    After the end of a line come the prefix tokens, after the first token of a type its other tokens, and after the
    answer tokens "The answer is:". After other ids comes what mostly followed them before. A wrong draft changes no
    answer and costs little time.
    """

    def __init__(self, layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self._after: dict[int, list[int]] = {}
        self._after_line: list[int] = []
        self._contexts = _Contexts()
        if layout.words or layout.placement != EACH_STEP:
            return
        self._after_line = tokenizer.convert_tokens_to_ids(layout.prefix)
        phrase = tokenizer.encode(f" {ANSWER_PHRASE}", add_special_tokens=False)
        for type_ in (*layout.step_types, ANSWER):
            ids = tokenizer.convert_tokens_to_ids(layout.special(type_))
            self._follow(ids, phrase if type_ == ANSWER else [])
        self._follow(self._after_line, [])

    def _follow(self, ids: list[int], then: list[int]) -> None:
        """Note that each of ``ids`` is followed by the rest of them and by ``then``."""
        for number, id in enumerate(ids, 1):
            self._after[id] = ids[number:] + then

    def __call__(self, generated: list[int], new: int) -> list[int]:
        """The ids that are likely to follow ``generated``, possibly none. Its last ``new`` ids are remembered for other
        answers."""
        self._contexts.remember(generated, new)
        by_layout = self._by_layout(generated[-1])
        return by_layout + self._contexts.after([*generated[-max(_CONTEXTS) :], *by_layout], _MOST - len(by_layout))

    def _by_layout(self, last: int) -> list[int]:
        if last not in self._after:
            self._after[last] = self._after_line if self._tokenizer.decode([last]).endswith("\n") else []
        return self._after[last]


class _Contexts:
    """Which id followed a few ids before: for each context the most frequent next id, how often it came, and how often
    any id came."""

    def __init__(self) -> None:
        self._next: dict[tuple[int, ...], tuple[int, int, int]] = {}

    def remember(self, generated: Sequence[int], new: int) -> None:
        """Count the last ``new`` ids of ``generated``, each after its contexts."""
        if len(self._next) > _CONTEXTS_KEPT:
            self._next.clear()
        for at in range(len(generated) - new, len(generated)):
            for size in _CONTEXTS:
                if size <= at:
                    context, id = tuple(generated[at - size : at]), generated[at]
                    most, often, of = self._next.get(context, (id, 0, 0))
                    if id == most:
                        often += 1
                    elif 2 * often <= of:  # the newer id replaces one that came in no more than half of the cases
                        most, often, of = id, 1, 1
                    self._next[context] = (most, often, of + 1)

    def after(self, ids: list[int], most: int) -> list[int]:
        """Up to ``most`` ids that are likely to follow ``ids``, all together."""
        draft: list[int] = []
        chance = 1.0
        while len(draft) < most:
            known = (self._next.get(tuple(ids[-size:])) for size in _CONTEXTS if size <= len(ids))
            id, often, of = next((counted for counted in known if counted), (0, 0, 1))
            chance *= often / (of + 1)  # + 1, so that what was seen once is not certain
            if chance < _WORTH:
                break
            draft.append(id)
            ids = [*ids[1:], id]
        return draft
