"""Four traces, and a judge of them."""

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Judgement, Question, Step

LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))

LYON = Question("q1", "Is Lyon the capital of France?", "False", dataset="made", split="test")

JAPAN = Question("q2", "Which city is the capital of Japan?", "B", ("Kyoto", "[b]Tokyo[/b]"), "made", "test")


def trace(question, answer, *steps, truncated=False):
    text = LAYOUT.solution_text(tuple(Step(*step) for step in steps), answer)
    return LAYOUT.parse(question, text, truncated)


RIGHT = trace(LYON, "False", ("memory", "Paris is the capital."), ("reason", "Lyon is not Paris."))

WRONG = trace(LYON, "True", ("memory", "Lyon is the capital."), ("reason", "Lyon is Lyon."))

LOOSE = trace(JAPAN, "B, of course", ("memory", "Tokyo is the capital."))

CUT = LAYOUT.parse(JAPAN, "<prefix_0><memory_0> Tokyo is", truncated=True)


def judge(trace):
    """Lyon is never the capital; reason steps cannot be read."""
    truth = tuple(None if step.type == "reason" else "Lyon" not in step.text for step in trace.steps)
    return Judgement((*truth, True), "false_memory" if False in truth else None)
