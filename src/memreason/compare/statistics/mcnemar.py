"""Two runs on the same questions, each answer right or wrong: what the questions with different outcomes say."""

from __future__ import annotations


def exact_p(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test; 1 where no question has different outcomes.

    If the two runs were equally good, each question that only one of them answered rightly would be the first's or the
    second's like the toss of a coin. McNemar, Psychometrika 1947; exact: the binomial distribution, not chi-square.
    """
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return float(binomtest(only_second, discordant).pvalue) if discordant else 1.0


def conditional_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """The 95% interval of the difference of two rates (second minus first) that belongs to `exact_p`.

    It takes as given that ``d = only_first + only_second`` of ``n`` questions have different outcomes, and asks which
    share π of those the second run wins: Clopper and Pearson's exact interval of π (Biometrika 1934), turned into the
    difference ``(2π − 1) d / n``. So it leaves out 0 exactly where ``exact_p`` < 0.05. It says nothing about how d
    would change with other questions, and with them the difference. (0, 0) where d is 0.
    """
    from scipy.stats import binomtest

    discordant = only_first + only_second
    if not discordant:
        return 0.0, 0.0
    interval = binomtest(only_second, discordant).proportion_ci(method="exact")
    low, high = ((2 * float(share) - 1) * discordant / n for share in (interval.low, interval.high))
    return low, high
