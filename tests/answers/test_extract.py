"""What counts as an answer, and what does not."""

import pytest

from memreason.answers.extract import extract_flexible, extract_strict, normalise_gold, outcome
from memreason.records import Question

BOOLEAN = Question("q", "Is Lyon the capital of France?", "False")
CHOICE = Question("q", "Which city is the capital of Japan?", "B", ("Kyoto", "Tokyo", "A dog", "Osaka"))
NO_OPTIONS = Question("q", "Which? A. this B. that", "B")
TEXT = Question("q", "How many?", "1,200")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("True", "True"),
        ("true.", "True"),
        ("YES", "True"),
        ("no", "False"),
        ("False", "False"),
        (" False ", "False"),
        ("True, because Paris is.", None),
        ("not True", None),
        ("maybe", None),
        ("B", None),
        ("", None),
        (None, None),
    ],
)
def test_strict_boolean_is_the_whole_line(line, answer):
    assert extract_strict(line, BOOLEAN, "boolean") == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("B", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("B)", "B"),
        ("(B)", "B"),
        ("B. Tokyo", "B"),
        ("(B) tokyo.", "B"),
        ("B: Tokyo", "B"),
        ("B. Kyoto", None),  # letter and text disagree
        ("Tokyo", None),
        ("A dog", None),
        ("E", None),  # no such option
        ("B or C", None),
        ("True", None),
    ],
)
def test_strict_choice_is_a_letter_among_the_options(line, answer):
    assert extract_strict(line, CHOICE, "choice") == answer


def test_where_the_options_are_not_known_any_letter_is_one():
    assert extract_strict("B.", NO_OPTIONS, "choice") == "B"


def test_a_mixed_task_asks_for_a_letter_only_where_there_are_options():
    assert extract_strict("B", CHOICE, "mixed") == "B"
    assert extract_strict("True", BOOLEAN, "mixed") == "True"
    assert extract_strict("B", BOOLEAN, "mixed") is None


def test_text_is_compared_without_case_closing_dot_and_thousands_commas():
    assert outcome(extract_strict("1200.", TEXT, "text"), "1,200", "text") == "correct"
    assert outcome(extract_strict("1201", TEXT, "text"), "1,200", "text") == "incorrect"
    assert extract_strict("", TEXT, "text") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<memory_0> Paris is.\n<answer_0> The answer is: False", "False"),
        ("So the answer is no.", "False"),
        ("The answer is: **True**", "True"),
        ("The answer is: True\nNo, the answer is: False", "False"),  # the last one
        ("The answer is unclear. Yes, it is.", "True"),
        ("Therefore, False.", "False"),
        ("The statement is false", "False"),
        ("The statement is true, since Paris is.", "True"),
        ("There is no evidence of true love.", None),
        ("No evidence was found.", None),
        ("It is not true.", None),
        ("Paris is the capital.", None),
        ("The answer is: True\nQuestion: Is Rome?\nThe answer is: False", "True"),  # a question of its own
        ("", None),
    ],
)
def test_flexible_boolean(text, answer):
    assert extract_flexible(text, BOOLEAN, "boolean") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is: B", "B"),
        ("The answer is B, as it is the capital", "B"),
        ("The answer is (B) Tokyo", "B"),
        ("The answer is: option B.", "B"),
        ("The answer is: Tokyo", "B"),
        ("the answer is: A dog", "C"),  # the option's text, not the letter A
        ("The answer is A city", None),
        ("It must be (B).", "B"),
        ("The right option is B", "B"),
        ("B. Tokyo", "B"),
        ("Kyoto was it once.\nTokyo", "B"),
        ("A dog barks in Kyoto", None),
        ("I like vitamin C.", None),
        ("Samuel A. Jackson was there", None),
        ("The answer is: E", None),
    ],
)
def test_flexible_choice_never_takes_a_letter_out_of_prose(text, answer):
    assert extract_flexible(text, CHOICE, "choice") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{D}", "D"),
        (r"The answer is $\boxed{\text{D}}$.", "D"),
        ("ANSWER: $D$", "D"),
        ("<answer> (D) Osaka </answer>", "D"),
        ("The answer is D because it is large.", "D"),
        ("The answer is: D - Osaka", "D"),
        ("The answer is: **Osaka**", "D"),
        ("The answer is Osaka, since Kyoto was it once.", "D"),
        ("The correct option is **D**.", "D"),
        ("**Final Answer**\n\n**D) Osaka**", "D"),
        ('{"answer": "D"}', "D"),
        ("I pick (D), since (A) was it once.", "D"),
        ("(A) was it once. (D) is correct.", "D"),
        ("Option D is the best.", "D"),
        ("D because it is large", "D"),
        ("[D]", "D"),
        ("d", "D"),
        ("答案是D", "D"),
        ("答えはDです", "D"),
        ("Die Antwort ist D.", "D"),
        ("The answer is D, not A.", "D"),
        ("The answer is D.\n\nQuestion: And?\nThe answer is A.", "D"),
        ("<think>The answer is A.</think>\nD", "D"),
    ],
)
def test_a_plain_letter_or_option_is_read_however_it_is_dressed(text, answer):
    assert extract_flexible(text, CHOICE, "choice") == answer


@pytest.mark.parametrize(
    "text",
    [
        "The answer is (A) and (D)",
        "The answer is A, D",
        "The answer is A or D.",
        "The answer is A/D",
        "The answer is neither A nor D.",
        "The answer is not (D).",
        "The answer is Kyoto and Osaka",
        "The answer is D. Kyoto",
        "It must be (A) or (D).",
        "A and D",
        "(A), (D)",
        "D) Tokyo",
        r"\boxed{A} and \boxed{D}",
        "A. Kyoto\nB. Tokyo\nC. A dog\nD. Osaka\nWho knows?",
        "<think>The answer is D",
    ],
)
def test_several_letters_or_a_contradiction_are_no_answer(text):
    assert extract_flexible(text, CHOICE, "choice") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is: no doubt yes", "True"),
        ("No doubt, yes", "True"),
        ("**Yes**, it is.", "True"),
        ("**No**", "False"),
        (r"\boxed{\text{No}}", "False"),
        ("<answer>no</answer>", "False"),
        ("The answer is definitely yes.", "True"),
        ("The answer is no, it is not.", "False"),
        ("No it is not", "False"),
        ("Yes - it is", "True"),
        ("Yes and no", None),
        ("The answer is: True or False", None),
        ("The answer is no one's to give", None),
        ("There is no doubt.", None),
        ("It is no longer true.", None),
        ("<think>Yes.</think>No.", "False"),
    ],
)
def test_yes_and_no_are_words_of_their_own(text, answer):
    assert extract_flexible(text, BOOLEAN, "boolean") == answer


@pytest.mark.parametrize(
    ("line", "question", "kind", "answer"),
    [
        ("**False**", BOOLEAN, "boolean", "False"),
        ('"yes"', BOOLEAN, "boolean", "True"),
        ("**B**", CHOICE, "choice", "B"),
        ("$B$", CHOICE, "choice", "B"),
        (r"\boxed{\text{B}}", CHOICE, "choice", "B"),
        ("option B", CHOICE, "choice", "B"),
        ("B - Tokyo", CHOICE, "choice", "B"),
        ("B - Kyoto", CHOICE, "choice", None),
        ("B because it is", CHOICE, "choice", None),
    ],
)
def test_a_dress_is_no_part_of_a_strict_answer(line, question, kind, answer):
    assert extract_strict(line, question, kind) == answer


@pytest.mark.parametrize(
    "piece", ["answer is ", '{"', "(A) ", "A, ", "No, ", "\n", "no doubt ", "<answer>", r"\boxed{", "**"]
)
@pytest.mark.parametrize(("question", "kind"), [(BOOLEAN, "boolean"), (CHOICE, "choice"), (TEXT, "text")])
def test_repetition_takes_no_time(piece, question, kind):
    extract_flexible(piece * (50_000 // len(piece)), question, kind)


def test_flexible_text_is_what_the_phrase_says_or_the_last_line():
    assert extract_flexible("Two and two.\nThe answer is: 4.", TEXT, "text") == "4"
    assert extract_flexible("Two and two.\n4\n", TEXT, "text") == "4"
    assert extract_flexible("\n", TEXT, "text") is None


@pytest.mark.parametrize(
    ("given", "question", "kind", "gold"),
    [
        (True, BOOLEAN, "boolean", "True"),
        ("no", BOOLEAN, "boolean", "False"),
        ("maybe", BOOLEAN, "boolean", None),
        ("(b)", CHOICE, "choice", "B"),
        ("E", CHOICE, "choice", None),
        (None, CHOICE, "choice", None),
        (1200, TEXT, "text", "1200"),
        (" New  York ", TEXT, "text", "New York"),
    ],
)
def test_gold_answers_are_brought_into_one_form(given, question, kind, gold):
    assert normalise_gold(given, question, kind) == gold


def test_no_answer_is_not_a_wrong_answer():
    assert outcome(None, "True", "boolean") == "no_answer"
    assert outcome("False", "True", "boolean") == "incorrect"
    assert outcome("True", "True", "boolean") == "correct"


CITIES = Question("q", "Where?", "C", ("Oslo", "Bern", "Rome"))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A. Oslo\nB. Bern\nC. Rome", None),  # the options again are no answer
        ("Options: A. Oslo B. Bern C. Rome", None),
        ("Answer: A. Oslo B. Bern C. Rome", None),
        ("A. Oslo\nB. Bern\nC. Rome\nC", "C"),
        ("The answer cannot be C.", None),
        ("C is wrong.", None),
        ("(C) isn't it", None),
        ("C is right", "C"),
    ],
)
def test_what_lists_or_rejects_a_letter_does_not_give_it(text: str, answer: str | None) -> None:
    assert extract_flexible(text, CITIES, "choice") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("That can't be true.", None),
        ("That would not be true.", None),
        ("It is hardly true.", None),
        ("This is far from true.", None),
        ("It was never false.", None),
        ("The answer is No. 1", None),
        ("No. 1 is Bern.", None),
        ("If not, then it is true.", "True"),
        ("No. It is 1.", "False"),
    ],
)
def test_a_denied_truth_value_is_no_answer(text: str, answer: str | None) -> None:
    assert extract_flexible(text, Question("q", "Is it?", "True"), "boolean") == answer
