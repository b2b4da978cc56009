"""The calculator in generation: it completes marks, in any tokenizer, and touches nothing else."""

from collections.abc import Callable

import pytest
from helpers.tiny import SOLUTIONS, make_base, make_tokenizer, teach
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from memreason.generation.answer import generate
from memreason.generation.calculator_processor import CalculatorProcessor
from memreason.generation.engine import Engine
from memreason.generation.few_shot import few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.load import load_base
from memreason.models.unit import ModelUnit
from memreason.records import PLAIN, Question, Solution, Step

TEXTS = [
    "She sold 48/2 = <<48/2=24>>24 clips.\nIn all 48+24 = <<48+24=72>>72.\nThe answer is: 72",
    "It costs $<<0.5*3=1.5>>1.5, so <<10-12=-2>>-2 and <<(1+2)*3=9>>9.",
    "<<100/8=12.5>><<1=1>><<7-7=0>>",
]


def trained(pre_tokenizer, decoder, corpus: list[str], size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoder
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def grown_together() -> PreTrainedTokenizerFast:
    """Its tokens do not stop at the borders of digits and signs: "=24>>" can be one."""
    return trained(
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel(), TEXTS * 3, 120
    )


def with_a_space_before_every_text() -> PreTrainedTokenizerFast:
    """As SentencePiece does in Llama 2: "24" alone encodes to "▁24"."""
    return trained(pre_tokenizers.Metaspace(), decoders.Metaspace(), TEXTS, 80)


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "bytes": lambda: make_tokenizer(bos=False),
    "grown together": grown_together,
    "space before": with_a_space_before_every_text,
}


def written_with_the_calculator(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[str, int]:
    """What comes out where a perfect model writes ``text``, in its longest tokens; and how many tokens were forced."""
    pieces = {
        token.replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n"): id_
        for token, id_ in tokenizer.get_vocab().items()
    }
    processor = CalculatorProcessor(tokenizer)
    ids: list[int] = []
    forced = 0
    while (written := tokenizer.decode(ids)) != text and text.startswith(written):
        token = processor.next_token(ids)
        forced += token is not None
        rest = text[len(written) :]
        own = max((piece for piece in pieces if rest.startswith(piece)), key=len)
        ids.append(pieces[own] if token is None else token)
    return written, forced


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_right_marks_come_out_as_they_are(tokenizer: str, text: str) -> None:
    written, forced = written_with_the_calculator(TOKENIZERS[tokenizer](), text)
    assert written == text
    assert forced > 0 or tokenizer == "grown together"


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_wrong_result_is_not_written(tokenizer: str) -> None:
    written, _ = written_with_the_calculator(TOKENIZERS[tokenizer](), "So 48/2 = <<48/2=31>>31")
    assert written.startswith("So 48/2 = <<48/2=2")


def test_a_token_with_the_equals_sign_and_more_is_gone_on_from() -> None:
    tokenizer = grown_together()
    processor = CalculatorProcessor(tokenizer)
    ids = tokenizer.encode("<<48/2=2")
    while (token := processor.next_token(ids)) is not None:
        ids.append(token)
    assert tokenizer.decode(ids) == "<<48/2=24>>"


@pytest.mark.parametrize(
    "text",
    ["48/2=", "<48/2=", "<<48/2", "<<48/2=24>>", "<<48/2=31", "<<x+1=", "<<1/0=", "<<=", "<<1+1=2=", "a <<1+1=2>> =",
     "<<1+\n", ""],
)  # fmt: skip
def test_elsewhere_the_model_is_free(text: str) -> None:
    tokenizer = make_tokenizer(bos=False)
    assert CalculatorProcessor(tokenizer).next_token(tokenizer.encode(text)) is None


def sums(wrong: int) -> list[Solution]:
    pairs = [(2, 3), (4, 3), (5, 4), (6, 2)]
    return [
        Solution(
            Question(f"s{a}{b}", f"What is {a} and {b}?", "True", dataset="sums"),
            (Step(PLAIN, f"It is {a}+{b} = <<{a}+{b}={a + b + wrong}>>."), Step(PLAIN, "Done.")),
        )
        for a, b in (pairs[:2] if wrong else pairs[2:])
    ]


RIGHT, WRONG = sums(0), sums(1)


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> ModelUnit:
    """A model that was taught two right sums, two wrong ones, and four solutions without any."""
    folder = make_base(tmp_path_factory.mktemp("sums"), "tied")
    return load_base(str(teach(folder, 250, [*RIGHT, *WRONG, *SOLUTIONS])), "float32", 128)


def texts(unit: ModelUnit, solutions: list[Solution], **options: bool) -> list[str]:
    return [trace.text for trace in generate(unit, [s.question for s in solutions], GenerationOptions(**options))]


def gold(unit: ModelUnit, solutions: list[Solution]) -> list[str]:
    return [unit.layout.solution_text(s.steps, s.question.answer) for s in solutions]


def test_right_sums_and_texts_without_any_come_out_as_taught(unit: ModelUnit) -> None:
    taught = [*RIGHT, *SOLUTIONS]
    assert texts(unit, taught) == gold(unit, taught)
    assert texts(unit, taught, use_calculator=True) == gold(unit, taught)


def test_wrong_sums_are_put_right_beside_others_in_the_batch(unit: ModelUnit) -> None:
    assert texts(unit, WRONG) == gold(unit, WRONG)
    together = texts(unit, [*WRONG, *SOLUTIONS, *RIGHT], use_calculator=True)
    for text, (a, b) in zip(together, [(2, 3), (4, 3)], strict=False):
        assert text.startswith(f"It is {a}+{b} = <<{a}+{b}={a + b}>>")
    assert together[2:] == gold(unit, [*SOLUTIONS, *RIGHT])
    assert [texts(unit, [s], use_calculator=True)[0] for s in WRONG] == together[:2]


def test_a_stream_calculates_too(unit: ModelUnit) -> None:
    assert (
        "".join(stream(Engine(unit, GenerationOptions(use_calculator=True)), Request(WRONG[0].question)))
        == texts(unit, WRONG, use_calculator=True)[0]
    )


def test_marks_in_the_examples_before_a_question_are_no_marks_of_its_answer(unit: ModelUnit) -> None:
    shots = few_shot_text(unit, RIGHT) + "<<1+1="
    plain = generate(unit, [SOLUTIONS[0].question], GenerationOptions(shots=shots))
    assert (
        generate(unit, [SOLUTIONS[0].question], GenerationOptions(shots=shots, use_calculator=True))[0].text
        == plain[0].text
    )
