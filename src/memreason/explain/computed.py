"""How each figure of an explanation is computed, and what it cannot show: shown beside the figures."""

from __future__ import annotations

COMPUTED = {
    "accuracy": (
        "Share of test questions whose answer line gives the right answer, with 95% Wilson intervals; the "
        "difference is between the same questions before and after training, with Newcombe's paired interval and the "
        "p-value of McNemar's exact test, as memreason compare has them. It "
        "cannot show what other questions or another training would give: questions count as independent, though "
        "several are about the same country or fact, so the intervals are rather too narrow."
    ),
    "metrics": (
        "The rows of the run's metrics.json, unchanged. They cannot show which answers stand behind a rate; the "
        "traces do."
    ),
    "sentences": (
        "Made from the figures below by fixed patterns; no language model writes them. Three sentences cannot show "
        "what the figures have besides."
    ),
    "epochs": (
        "Accuracy, true memories and valid inferences on the validation questions at the end of each epoch, and the "
        "mean training loss during it. It cannot show more than so few questions allow, and the best epoch was "
        "chosen on just these questions."
    ),
    "errors": (
        "The judge reads each step of a wrong answer by what it says, and asks what follows from the facts that the "
        "trace states; the six causes exclude each other. It cannot show what caused the answer inside the model: "
        "the interventions test that."
    ),
    "right": (
        "Right answers: sound where no step is false or invalid, lucky where one is, unreadable where the judge "
        "could not read one. It cannot show whether a sound answer was reasoned out or guessed before the steps "
        "were written."
    ),
    "types_fit": (
        "Share of the steps typed memory or reason, and readable, that say what their type promises: a fact, or a "
        "conclusion. It cannot show steps that the judge could not read."
    ),
    "families": (
        "The middle part of the question's id names its family; so few questions of each family cannot show small "
        "differences between them."
    ),
    "facts": (
        "Every fact that a memory step states and the judge could read, by what it is about; the fact that is false "
        "most often comes first. It cannot show facts that the model leaves out, and a fact that many questions "
        "need has more chances to be wrong."
    ),
    "confidence": (
        "The probability of a memory step is the exponential of the mean log-probability of its tokens, without those "
        "that mark the line; AUROC is the chance that a true memory has a higher one than a false memory (95% "
        "bootstrap interval over traces), and ECE the mean distance between probability and truth over bins of "
        "equal numbers. It cannot show how sure the model is of the fact: wording is a part of the probability, and "
        "shorter or rarer wordings change it."
    ),
    "positions": (
        "How often a step of each type stands first, second and so on. It cannot show which of them the answer needs."
    ),
    "lengths": (
        "Steps as parsed, tokens of the generated text, and those among them that only mark lines (planning tokens, or "
        "words in brackets), by outcome. It cannot show "
        "that length causes errors: harder questions need longer traces."
    ),
    "interventions": (
        "A step of each trace is changed, and all that comes after is written anew, greedily, from exactly the "
        "tokens that stay; before and after are paired, with Newcombe's 95% interval. It cannot show what the model "
        "would have written by itself: an edited text may be one that it would hardly write."
    ),
    "attribution": (
        "For each wrong answer, whether true memories alone, a valid inference from its own memories alone, or only "
        "both together make it right. It cannot show causes that need other edits than these, and a repair can also "
        "come by chance."
    ),
    "importance": (
        "From before and from behind each step the rest is sampled several times; importance is the distance of the "
        "two distributions of answers (arXiv 2506.19143). It cannot show small effects with few samples: chance "
        "alone gives a distance above 0."
    ),
    "judges": (
        "Who says which steps are true; where it is not the exact judge, how far it agrees with that one on atlas: "
        "precision and recall of false steps, and Cohen's kappa, for each kind of step. It cannot show how good the "
        "judge is on other data than atlas."
    ),
    "attention": (
        "Attention weights of the model, run again over the trace, summed over the tokens of each step. They cannot "
        "show what the model uses: a weight says where it looks, not what changes the answer."
    ),
    "traces": (
        "All traces of the test splits as the run wrote them; the first wrong step is the first that is false or "
        "does not follow. It cannot show the cause: a false step may change nothing."
    ),
}
"""Key of an explanation → how its figures are computed, and what they cannot show."""
