"""The grammar: whatever the logits are, answers are well formed; and what training teaches is never forbidden."""

import gc
import random
import weakref

import pytest
import torch
from helpers.tiny import SOLUTIONS, make_tokenizer
from helpers.units import config
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from memreason.answers.extract import extract_strict
from memreason.errors import UserError
from memreason.generation.grammar import Grammar
from memreason.generation.vocabulary import vocabulary_of
from memreason.models.build import build
from memreason.planning_tokens.layout import FRONT, PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.records import MEMORY, PLAIN, REASON, Question, Solution, Step, Trace
from memreason.tasks.registry import load_task

TYPES = (MEMORY, REASON)
TYPED = PlanningTokens(1, 2, TYPES)
LAYOUTS = {
    "tokens": TYPED,
    "no prefix": PlanningTokens(0, 1, TYPES),
    "chain of thought": PlanningTokens(),
    "prefix only": PlanningTokens(2),
    "only the answer has a type": PlanningTokens(1, 1),
    "front": PlanningTokens(2, 0, (), FRONT),
    "words": PlanningTokens(0, 0, TYPES, words=True),
}
ASKED = Question("q", "Is it so?", "True")
CHOSEN = Question("q", "Which?", "B", ("one", "two", "three"))
KINDS = {"boolean": ASKED, "number": ASKED, "math": ASKED, "text": ASKED, "choice": CHOSEN}
PIECES = [
    *"abcdefghijklmnopqrstuvwxyzABCDFHTW0123456789,.-/:<>_[]|*#'éδ▷◁", "▁", "▁The", "▁answer", "▁is:", "is:", "▁True",
    "▁Paris", "<x_1>", "<think", "</think>", "_0>", "<memory_0", "memory]", "[reason]", "assist", "tantfinal", "final",
    "analysis", "Thinking", "Here", "▁is▁my", "▁thought", "▁process", "...", "<|channel", "|>", "<<48/2=", "24>>",
    "◁think", "12", "007", "true", "line\nbreak", "a\n", ">\n",
]  # fmt: skip
TRAPS = [*PIECES[PIECES.index("▁The") :], "<", ">", "_", "1", "[", "]", "*", ":", "▁", "<0x0A>", "<0xC3>", "<0xE2>"]
"""Pieces that tempt: they spell marks, line ends and answers in the wrong places."""


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """Spaces are `▁`, one is put before every text and left out in decoding; other characters are single bytes."""
    names = [*dict.fromkeys(["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES])]
    vocabulary = {name: id for id, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


def byte_level() -> PreTrainedTokenizerFast:
    """Tokens of bytes, and added ones that tempt."""
    tokenizer = make_tokenizer(bos=False)
    tokenizer.add_tokens([trap.replace("▁", " ") for trap in TRAPS if len(trap) > 1 and not trap.startswith("<0x")])
    return tokenizer


def grammar_of(tokenizer, layout: PlanningTokens, more_rows: int = 5) -> Grammar:
    tokenizer.add_tokens(layout.names)
    return Grammar(tokenizer, layout, tokenizer.eos_token_id, len(tokenizer) + more_rows)


def drawing(grammar: Grammar, seed: int = 0):
    """Random logits, as those of an untrained model at a high temperature; what tempts comes more often."""
    generator = torch.Generator().manual_seed(seed)
    temptation = torch.zeros(grammar.rows)
    known = grammar.tokenizer.get_vocab()
    for trap in TRAPS:
        for name in (trap, trap.replace("▁", " "), trap.replace("▁", "Ġ")):
            if name in known:
                temptation[known[name]] = 2.0
    while True:
        yield 2 * torch.randn(grammar.rows, generator=generator) + temptation * random.Random(seed).choice([0, 1])
        seed += 1


def write(state, draws, end_id: int, most: int) -> list[int]:
    """Ids as the scheduler takes them: the best, or if it is not allowed, the best that is."""
    ids: list[int] = []
    while len(ids) < most:
        logits = next(draws)
        token = int(logits.argmax())
        if not state.allows(token):
            token = int(logits.masked_fill(~state.mask(), -torch.inf).argmax())
            assert state.allows(token)
        state.advance(token)
        ids.append(token)
        if token == end_id:
            break
    return ids


def trace(grammar: Grammar, question: Question, ids: list[int]) -> Trace:
    ended = ids[-1:] == [grammar.end_id]
    text = grammar.tokenizer.decode(ids[: len(ids) - ended], skip_special_tokens=False)
    return grammar.layout.parse(question, "".join(grammar.layout.prefix) + text, truncated=not ended)


def shortest(grammar: Grammar, kind: str, **options) -> int:
    with pytest.raises(UserError, match="leaves no room") as error:
        grammar.start(KINDS[kind], kind, 0, **options)
    return int(str(error.value).split("takes ")[1].split()[0])


def gold(layout: PlanningTokens, solution: Solution) -> Solution:
    """The solution with step types that the layout has."""
    typed = bool(layout.step_types)
    return Solution(solution.question, tuple(Step(s.type if typed else PLAIN, s.text) for s in solution.steps))


def encoded(grammar: Grammar, solution: Solution) -> list[int]:
    ids, prompt_length = grammar.layout.encode(grammar.tokenizer, solution)
    return ids[prompt_length:]


def first_forbidden(grammar: Grammar, solution: Solution, kind: str, ids: list[int]) -> str | None:
    """The text up to the first token that is not allowed, in the room that these ids need."""
    state = grammar.start(solution.question, kind, len(ids))
    for id in ids:
        if not state.allows(id):
            return state.text + grammar.tokenizer.decode([id])
        state.advance(id)
    return None


@pytest.fixture(params=["byte level", "sentencepiece"])
def tokenizer(request):
    return byte_level() if request.param == "byte level" else sentencepiece_like()


class TestWhateverTheLogitsAre:
    @pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
    def test_answers_are_well_formed_and_can_be_read_in_any_room_that_is_enough(self, tokenizer, layout) -> None:
        grammar = grammar_of(tokenizer, layout)
        for kind, question in KINDS.items():
            least, draws = shortest(grammar, kind), drawing(grammar)
            for more in (0, 0, 1, 2, 5, 30):
                state = grammar.start(question, kind, least + more)
                ids = write(state, draws, grammar.end_id, least + more)
                written = trace(grammar, question, ids)
                assert written.well_formed, written.text
                if kind not in ("text", "math"):
                    assert extract_strict(written.answer, question, kind)

    @pytest.mark.parametrize("shape", ["untied", "padded", "tied"])
    def test_answers_of_models_with_each_shape_of_embeddings(self, bases, shape) -> None:
        unit = build(config(bases[shape]), model_max_length=64)
        rows = unit.model.get_output_embeddings().weight.shape[0]
        grammar = Grammar(unit.tokenizer, unit.layout, unit.end_id, rows)
        draws = drawing(grammar, seed=1)
        for _ in range(50):
            ids = write(grammar.start(ASKED, "mixed", 40), draws, unit.end_id, 40)
            assert trace(grammar, ASKED, ids).well_formed

    @pytest.mark.parametrize("layout", ["tokens", "chain of thought", "words"])
    def test_an_answer_is_continued_wherever_it_was_left(self, tokenizer, layout) -> None:
        grammar = grammar_of(tokenizer, LAYOUTS[layout])
        solution, draws = gold(grammar.layout, SOLUTIONS[1]), drawing(grammar)
        ids = encoded(grammar, solution)
        for cut in range(0, len(ids), 2):
            state = grammar.start(solution.question, "boolean", 40, written=ids[:cut])
            written = trace(grammar, solution.question, ids[:cut] + write(state, draws, grammar.end_id, 40))
            assert written.well_formed, written.text

    def test_without_a_kind_options_ask_for_a_letter_and_all_else_for_a_text(self, tokenizer) -> None:
        grammar = grammar_of(tokenizer, TYPED)
        for question, is_answer in ((CHOSEN, {*"ABC"}.__contains__), (ASKED, bool)):
            ids = write(grammar.start(question, None, 40), drawing(grammar), grammar.end_id, 40)
            assert is_answer(trace(grammar, question, ids).answer)


@pytest.fixture(scope="module")
def atlas() -> list[Solution]:
    return list(load_task("atlas", num_validation=1, sizes={"num_train": 12, "num_test": 1}).splits["train"])


class TestWhatTrainingTeaches:
    @pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
    def test_is_allowed_token_by_token_in_just_the_room_that_it_needs(self, tokenizer, layout, atlas) -> None:
        grammar = grammar_of(tokenizer, layout)
        sums = [
            ("1,200", "It is 48/2 = <<48/2=24>>24, so <b> is 1,200."),
            ("-3.5", "naïve 中 🙂"),
            ("22/7", "a < b > c [sic] <a> (x_1)"),
        ]
        numbers = [Solution(Question("q", "?", answer), (Step(REASON, text),)) for answer, text in sums]
        for kind, solutions in (("mixed", atlas), ("boolean", SOLUTIONS), ("number", numbers), ("math", numbers)):
            for solution in solutions:
                known = gold(layout, solution)
                assert first_forbidden(grammar, known, kind, encoded(grammar, known)) is None


def allowed(grammar: Grammar, text: str, token: str) -> bool:
    """Whether a token may come after a text, that of the first line from its prefix on."""
    ids = grammar.tokenizer.encode(text, add_special_tokens=False)
    state = grammar.start(ASKED, "boolean", 100, written=ids)
    id = grammar.tokenizer.convert_tokens_to_ids(token)
    assert state.allows(id) == bool(state.mask()[id])
    return state.allows(id)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    """Of byte-level tokens, with those that the tests of texts name."""
    tokenizer = byte_level()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|tool|>"]})
    tokenizer.add_tokens(["foo\nbar", "\n\n", ".\n", "<memory_0>", "<think", "k"])
    return grammar_of(tokenizer, TYPED)


class TestText:
    @pytest.mark.parametrize(
        ("text", "token", "may"),
        [
            ("", ">", False),  # no text before the tokens of a type
            (" <x_1", ">", False),
            (" a <x_1", ">", True),
            (" ", "<x_1>", False),
            (" a ", "<x_1>", True),
            (" a <memory_0", ">", False),
            (" a ", "<memory_0>", False),
            (" a <thin", "k", True),
            (" a <think", ">", False),
            (" a </THINK ", ">", False),
            (" [/think", "]", False),
            (" a <<48/2=24", ">", True),
            (" a <<48/2=", "24>>", True),
            (" assis", "tantfinal", False),
            (" assistant", "final", False),
            (" assistant", "tantfinal", True),
            (" Thinking process", ":", True),  # a heading only at the very start of a text
            ("  ", ".\n", True),
            (" ", "Ċ", False),
            (" a", "Ċ", True),
            (" a", "foo\nbar", False),
            (" a", "\n\n", False),
            (" a", "<|tool|>", False),
            (" a", "<|pad|>", False),
            (" a", "<|end|>", False),
        ],
    )
    def test_is_what_parsing_reads_as_text(self, grammar, text, token, may) -> None:
        opening = "<memory_0><memory_1>" if text else ""
        assert allowed(grammar, opening + text, token) is may

    def test_has_no_broken_characters(self, grammar) -> None:
        first, second, third = (grammar.tokenizer.convert_tokens_to_ids(char) for char in "ä¸Ń")  # 中
        state = grammar.start(ASKED, "boolean", 100, grammar.tokenizer.encode("<memory_0><memory_1> a"))
        assert not state.allows(second)
        for id in (first, second):
            assert state.allows(id)
            state.advance(id)
            assert not state.allows(first) and not state.allows(grammar.tokenizer.convert_tokens_to_ids("Ċ"))
        state.advance(third)
        assert state.text.endswith("中")

    @pytest.mark.parametrize(
        ("text", "token", "may"),
        [
            ("Thinking process", ":", False),
            ("Thinking process", "Ċ", False),
            ("Thinking processes", ":", True),
            ("Here's my thought process", "*", True),
            ("analysis", "Q", False),
            ("The answer is", ":", False),  # an answer needs a step
            ("a\nThe answer is", ":", True),
            ("a\nThe answer is: ", "T", True),
            ("a\nThe answer is: ", "M", False),
            ("a\nThe answer is: True", "Ċ", False),
            ("a\nThe answer is: True", "<|end|>", True),
            ("a\nThe answer is True", "Ċ", True),
            ("a <think\n", ">", False),
        ],
    )
    def test_of_a_chain_of_thought_says_itself_which_line_is_the_answer(self, text, token, may) -> None:
        assert allowed(grammar_of(byte_level(), PlanningTokens()), text, token) is may

    @pytest.mark.parametrize(
        ("text", "token", "may"),
        [("", "[reason]", True), ("[memory", "]", True), ("[memory]", "[reason]", False),
         ("[memory] a", "[reason]", True), ("[answer", "]", False), ("[memory] a\n[answer", "]", True)],
    )  # fmt: skip
    def test_comes_after_the_words_that_stand_for_tokens(self, text, token, may) -> None:
        grammar = grammar_of(byte_level(), LAYOUTS["words"])
        if token not in grammar.tokenizer.get_vocab():
            grammar.tokenizer.add_tokens([token])
            grammar = grammar_of(grammar.tokenizer, LAYOUTS["words"])
        assert allowed(grammar, text, token) is may


class TestNumbers:
    @pytest.mark.parametrize("number", ["0", "-12", "3.5", "1,200", "1,234,567.25", "1/3", "9" * 40])
    def test_those_that_are_read_can_be_written(self, number) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        solution = Solution(Question("q", "?", number), (Step(REASON, "So."),))
        assert first_forbidden(grammar, solution, "number", encoded(grammar, solution)) is None

    @pytest.mark.parametrize("number", ["-", "1,20", "12,0000", "1.", "1/0", "--1", "1.2.3", "9" * 41, "x", ""])
    def test_others_cannot(self, number) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        solution = Solution(Question("q", "?", number), (Step(REASON, "So."),))
        assert first_forbidden(grammar, solution, "number", encoded(grammar, solution)) is not None


class TestTheNextStep:
    @pytest.mark.parametrize("layout", ["tokens", "words"])
    @pytest.mark.parametrize("constrained", [True, False])
    def test_has_the_type_that_is_asked_for(self, tokenizer, layout, constrained) -> None:
        grammar = grammar_of(tokenizer, LAYOUTS[layout])
        gold_ids = encoded(grammar, SOLUTIONS[1])
        line_end = next(n for n, id in enumerate(gold_ids, 1) if "\n" in tokenizer.decode([gold_ids[0], id]))
        for written in ([], gold_ids[:line_end]):
            state = grammar.start(ASKED, "boolean", 60, written, constrained, next_type=REASON)
            opening = "".join([*(grammar.layout.prefix if written else []), *grammar.layout.special(REASON)])
            ids, text, draws = [], "", drawing(grammar)
            while len(text) < len(opening):
                ids += write(state, draws, grammar.end_id, 1)
                text = "".join(tokenizer.decode(ids).split())
            assert text.startswith(opening)

    def test_begins_where_the_present_one_has_ended(self, tokenizer) -> None:
        grammar = grammar_of(tokenizer, TYPED)
        ids = encoded(grammar, SOLUTIONS[1])
        state = grammar.start(ASKED, "boolean", 40, ids[:5], next_type=REASON)
        written = trace(grammar, ASKED, ids[:5] + write(state, drawing(grammar), grammar.end_id, 40))
        assert written.well_formed and [step.type for step in written.steps][:2] == [MEMORY, REASON]

    def test_leaves_all_else_free_where_nothing_is_constrained(self) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        state = grammar.start(ASKED, "boolean", 1, constrained=False, next_type=REASON)
        reason = grammar.tokenizer.convert_tokens_to_ids(TYPED.special(REASON))
        for id in reason:
            assert state.mask().nonzero().flatten().tolist() == [id]
            state.advance(id)
        assert state.mask().all() and state.allows(grammar.end_id) and state.allows(grammar.rows - 1)
        assert grammar.start(ASKED, "boolean", 0, constrained=False).mask().all()

    def test_cannot_be_of_an_unknown_type_or_follow_the_answer(self) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        with pytest.raises(UserError, match="next_type guess: this model's step types are memory, reason"):
            grammar.start(ASKED, "boolean", 90, next_type="guess")
        for written in (encoded(grammar, SOLUTIONS[0])[:-2], grammar.tokenizer.encode("<memory_0>")):
            with pytest.raises(UserError, match="no step of this type can come next"):
                grammar.start(ASKED, "boolean", 90, written, next_type=REASON)


class TestIdsThatWereGiven:
    @pytest.mark.parametrize(
        "text",
        ["no tokens at all", "<memory_0> half", "<memory_0><memory_1> a\n\nb\n", "<memory_0><memory_1>\n", "<|pad|>",
         "<memory_0><memory_1> <x_1> a </think>", "<memory_0><memory_1> a\n<prefix_0><answer_0><answer_1> Maybe",
         "<memory_0><memory_1> a\n<prefix_0><answer_0><answer_1> The answer is: Tru\nb"],
    )  # fmt: skip
    def test_are_read_as_text_and_the_rest_follows_the_rules(self, text) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        state = grammar.start(ASKED, "boolean", 40, grammar.tokenizer.encode(text, add_special_tokens=False))
        ids = write(state, drawing(grammar), grammar.end_id, 40)
        assert ids[-1] == grammar.end_id
        assert grammar.tokenizer.decode(ids).count("<answer_0>") <= 1

    def test_in_a_line_of_a_chain_of_thought(self) -> None:
        grammar = grammar_of(byte_level(), PlanningTokens())
        state = grammar.start(ASKED, "boolean", 40, grammar.tokenizer.encode("a\nThe answer is: Maybe"))
        assert state.allows(grammar.end_id)


class TestWhatIsRefused:
    @pytest.mark.parametrize("placement", [PLAN_FIRST, PLAN_ONLY])
    def test_a_plan(self, placement) -> None:
        grammar = grammar_of(byte_level(), PlanningTokens(1, 1, TYPES, placement))
        with pytest.raises(UserError, match=f"--{placement}"):
            grammar.start(ASKED, "boolean", 90)

    def test_types_that_parsing_does_not_read_back(self) -> None:
        with pytest.raises(UserError, match="the step types rag are not read back"):
            grammar_of(byte_level(), PlanningTokens(1, 1, ("rag",))).start(ASKED, "boolean", 90)

    def test_too_little_room(self) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        least = shortest(grammar, "boolean")
        with pytest.raises(UserError, match=f"max_new_tokens {least - 1} leaves no room .* the shortest takes {least}"):
            grammar.start(ASKED, "boolean", least - 1)
        assert shortest(grammar, "boolean", next_type=REASON) == least
        written = encoded(grammar, SOLUTIONS[0])
        assert shortest(grammar, "boolean", written=written[:-1]) == 1


class TestTables:
    def test_are_made_once_for_a_tokenizer_and_go_with_it(self) -> None:
        tokenizer = make_tokenizer(bos=False)
        tables = vocabulary_of(tokenizer)
        assert vocabulary_of(tokenizer) is tables
        tokenizer.add_tokens(["<x>"])
        assert vocabulary_of(tokenizer) is not tables
        gone = weakref.ref(vocabulary_of(tokenizer))
        del tokenizer
        gc.collect()
        assert gone() is None

    def test_masks_are_made_once_for_all_that_stand_alike(self) -> None:
        grammar = grammar_of(byte_level(), TYPED)
        states = [grammar.start(ASKED, "boolean", room) for room in (200, 300)]
        for state, text in zip(states, (" I", " much longer"), strict=True):
            for id in grammar.tokenizer.encode("<memory_0><memory_1>" + text):
                state.advance(id)
        assert states[0].mask() is states[1].mask()


def test_masks_of_types_that_differ_in_digits_only_are_not_mixed_up() -> None:
    layout = PlanningTokens(0, 0, ("step_1", "step_12", "step_3"), words=True)
    grammar = grammar_of(byte_level(), layout)
    for begun in ("[step_1", "[step_3"):  # where answers are numbers, of which one digit is as good as another
        state = grammar.start(ASKED, "number", 100, written=grammar.tokenizer.encode(begun, add_special_tokens=False))
        mask = state.mask()
        assert [bool(mask[id]) for id in range(grammar.rows)] == [state.allows(id) for id in range(grammar.rows)]
