"""What the layout all but decides: ids that are likely to follow those written, so that they can be read in one go."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from memreason.planning_tokens import ANSWER, EACH_STEP, PlanningTokens
from memreason.prompt_templates import ANSWER_PHRASE


class Guesses:
    """After a line's end come the prefix tokens, after a type's first token its others, after the answer's
    tokens "The answer is:". A function of the ids written so far; a guess may be wrong, and costs little then."""

    def __init__(self, layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self._after: dict[int, list[int]] = {}
        self._after_line: list[int] = []
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

    def __call__(self, written: list[int]) -> list[int]:
        """The ids that are likely next; none where nothing is."""
        last = written[-1]
        if last not in self._after:
            self._after[last] = self._after_line if self._tokenizer.decode([last]).endswith("\n") else []
        return self._after[last]
