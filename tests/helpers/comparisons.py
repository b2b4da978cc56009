"""Results of comparisons, written down by hand: for whatever shows them."""

from dataclasses import replace

from memreason.compare.result import ComparisonResult, GroupRow, Groups, PairResult, SideResult, Unpaired
from memreason.compare.statistics.arm import Outcomes

PLAIN = SideResult(0.68, (0.583, 0.763), (0.68,), 100, "plain", ("runs/plain-1",), 1)
TYPED = SideResult(0.66, (0.563, 0.745), (0.66,), 100, "typed", ("runs/typed-1",), 1)
TIED = PairResult(
    first="plain",
    second="typed",
    difference=-0.02,
    interval=(-0.112, 0.072),
    method="newcombe",
    bootstrap_interval=(-0.11, 0.07),
    p=0.832,
    p_method="mcnemar_exact",
    p_holm=0.832,
    p_bh=0.832,
    mcnemar_p=0.832,
    outcomes=Outcomes(both=56, only_first=12, only_second=10, neither=22),
    conditional_interval=(-0.113, 0.075),
    standard_error=0.047,
    degrees=99.0,
    smallest=0.131,
    n=100,
    verdict="tied",
    gate=None,
    sentence="typed 66.0%, plain 68.0%: statistically tied.",
)
SINGLE = ComparisonResult(
    measure="accuracy",
    label="accuracy",
    kind="share",
    higher_is_better=True,
    n=100,
    cluster=None,
    n_clusters=None,
    split=None,
    margin=None,
    arms=(PLAIN, TYPED),
    comparisons=(TIED,),
    groups=None,
    unpaired=Unpaired("id and text", 0),
    warnings=(),
)
"""Two single runs on 100 questions, tied."""

_THREE = tuple(
    replace(side, name=name, paths=tuple(f"runs/{name}-{seed}" for seed in (1, 2, 3)), runs=3, value=value,
            interval=(value - 0.04, value + 0.04), by_run=(value - 0.01, value, value + 0.01), n=600)
    for side, name, value in ((PLAIN, "plain", 0.61), (TYPED, "typed", 0.67), (PLAIN, "sh_uf<f>led & co", 0.55))
)  # fmt: skip
_PAIRS = tuple(
    replace(
        TIED, second=second, difference=difference, interval=(difference - 0.04, difference + 0.04), n=600,
        method="crossed", p_method="t",
        bootstrap_interval=(difference - 0.038, difference + 0.039), p=p, p_holm=2 * p,
        p_bh=p, mcnemar_p=None, outcomes=None, conditional_interval=None, verdict=verdict, gate=gate,
        sentence=f"{second}: {verdict}.",
    )
    for second, difference, p, verdict, gate in (
        ("typed", 0.06, 0.004, "better", "not_worse"), ("sh_uf<f>led & co", -0.06, 0.003, "worse", "worse"),
    )
)  # fmt: skip
SEVERAL = replace(
    SINGLE,
    n=600,
    cluster="country",
    n_clusters=18,
    split="test_unseen",
    margin=0.02,
    arms=_THREE,
    comparisons=_PAIRS,
    groups=Groups("family", tuple(GroupRow(value, 60, _THREE, _PAIRS) for value in ("area", "border"))),
    warnings=("2 groups were looked at.",),
)
"""Three sides of three runs each, one with marks of HTML and LaTeX in its name, clusters, groups, a margin."""
LENGTH = replace(
    SINGLE, measure="steps", label="steps", kind="number", higher_is_better=None,
    arms=(replace(PLAIN, value=2.1, interval=(2.0, 2.2), by_run=(2.1,)),
          replace(TYPED, value=2.6, interval=(2.5, 2.7), by_run=(2.6,))),
    comparisons=(replace(TIED, difference=0.5, interval=(0.4, 0.6), bootstrap_interval=(0.4, 0.6),
                         p=1e-9, p_holm=1e-9, p_bh=1e-9,
                         mcnemar_p=None, outcomes=None, conditional_interval=None, smallest=0.1, verdict="higher"),),
)  # fmt: skip
"""A measure that is no share, and of which neither more nor less is better."""
