"""Adjusted p-values."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from memreason.compare.statistics.multiple import benjamini_hochberg, holm


@pytest.mark.parametrize("count", [0, 2, 40])
def test_they_are_those_of_statsmodels_in_the_order_given(count: int) -> None:
    p = [float(each) for each in np.random.default_rng(count).beta(0.3, 1, count)]
    p[1:3] = p[:1] * len(p[1:3])  # ties
    for ours, theirs in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        assert ours(p) == pytest.approx(list(multipletests(p, method=theirs)[1]) if p else [])
