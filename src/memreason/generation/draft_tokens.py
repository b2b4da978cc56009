"""Draft tokens: ids that are likely to follow those generated, so that they can be read in one go.

They are what the layout all but decides, and what followed the same few ids in other answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from memreason.planning_tokens.layout import EACH_STEP, PlanningTokens
from memreason.planning_tokens.names import ANSWER
from memreason.planning_tokens.prompt_templates import ANSWER_PHRASE

_CONTEXTS = (5, 3, 2)
"""How many ids before the next one are looked up; the most that are known decide."""
_MOST = 6
"""Ids drafted at once."""
_WORTH = 0.5
"""The chance that all ids up to one must have for it to be read along: reading it takes about half as long as an id
takes in a step of its own, even where many answers are under way."""
_CONTEXTS_KEPT = 1 << 18
"""Contexts after which all is forgotten, some 50 MB."""


class DraftTokens:
    """After a line's end come the prefix tokens, after a type's first token its others, after the answer's
    tokens "The answer is:"; after other ids, what mostly came there before. A draft may be wrong, and costs little."""

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
        for number, id in enumerate(ids, 1):
            self._after[id] = ids[number:] + then

    def __call__(self, generated: list[int], new: int) -> list[int]:
        """The ids that are likely next, none where nothing is; the last ``new`` of those generated are remembered."""
        self._contexts.remember(generated, new)
        by_layout = self._by_layout(generated[-1])
        return by_layout + self._contexts.after([*generated[-max(_CONTEXTS) :], *by_layout], _MOST - len(by_layout))

    def _by_layout(self, last: int) -> list[int]:
        if last not in self._after:
            self._after[last] = self._after_line if self._tokenizer.decode([last]).endswith("\n") else []
        return self._after[last]


class _Contexts:
    """After which ids which one came before: for each context the id that came most, how often, and of how many."""

    def __init__(self) -> None:
        self._next: dict[tuple[int, ...], tuple[int, int, int]] = {}

    def remember(self, generated: Sequence[int], new: int) -> None:
        """Count the last ``new`` ids in."""
        if len(self._next) > _CONTEXTS_KEPT:
            self._next.clear()
        for at in range(len(generated) - new, len(generated)):
            for size in _CONTEXTS:
                if size <= at:
                    context, id = tuple(generated[at - size : at]), generated[at]
                    most, often, of = self._next.get(context, (id, 0, 0))
                    if id == most:
                        often += 1
                    elif 2 * often <= of:  # what came later has the better claim
                        most, often, of = id, 1, 1
                    self._next[context] = (most, often, of + 1)

    def after(self, ids: list[int], most: int) -> list[int]:
        """Up to ``most`` ids that together are likely to follow."""
        draft: list[int] = []
        chance = 1.0
        while len(draft) < most:
            known = (self._next.get(tuple(ids[-size:])) for size in _CONTEXTS if size <= len(ids))
            id, often, of = next((counted for counted in known if counted), (0, 0, 1))
            chance *= often / (of + 1)  # nothing is certain that was seen once
            if chance < _WORTH:
                break
            draft.append(id)
            ids = [*ids[1:], id]
        return draft
