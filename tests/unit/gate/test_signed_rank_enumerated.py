"""The signed-rank test against every way in which the signs could have fallen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capbench.gate.statistics.signed_rank import half, scores_of, sign_sum_tail, sign_test

_ROUNDING = 1e-12
"""Sums of powers of two are exact; only the running sum of the tail rounds."""
_SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=8).map(lambda sizes: [size / 4 for size in sizes])
"""Few distinct values, so that ties and zeros are the rule."""
_SPIKED = st.lists(st.sampled_from([0.01, 0.02, 0.021, 0.03, 0.05, 0.9, 7.0]), min_size=1, max_size=8)
"""Sizes of which some lie far beyond the others: those count least."""


def _flips(sizes: list[float]) -> list[list[float]]:
    return [
        [size * sign for size, sign in zip(sizes, signs, strict=True)]
        for signs in itertools.product((1, -1), repeat=len(sizes))
    ]


@settings(deadline=None)
@example([1, 2, 3, 4, 5, 6, 7, 8, 9])  # Wilcoxon's own scores
@example([1, 2, 3, 4, 5, 5, 5, 1, 1])  # with a cap, and outliers
@given(st.lists(st.integers(1, 9), min_size=1, max_size=10))
def test_the_tail_counts_every_assignment_of_signs(scores: list[int]) -> None:
    sums = [
        sum(score for score, counts in zip(scores, chosen, strict=True) if counts)
        for chosen in itertools.product((True, False), repeat=len(scores))
    ]

    tail = sign_sum_tail(tuple(scores))

    for at_least in range(sum(scores) + 1):
        assert tail[at_least] == pytest.approx(sum(total >= at_least for total in sums) / len(sums), abs=_ROUNDING)


@settings(max_examples=40, deadline=None)
@given(sizes=_SIZES | _SPIKED, capped=st.booleans(), data=st.data())
def test_p_is_the_share_of_signs_that_are_as_extreme(sizes: list[float], capped: bool, data: st.DataObject) -> None:
    cap = half(len(sizes)) if capped else len(sizes)
    differences = data.draw(st.sampled_from(_flips(sizes)))
    # Ties are broken against what is to be shown: of equal sizes the positive ones have the lower scores.
    ordered = sorted(differences, key=lambda value: (abs(value), value <= 0))
    scores = scores_of(np.abs(np.array(ordered)), cap)
    observed = sum(score for score, value in zip(scores, ordered, strict=True) if value > 0)
    sums = [
        sum(score for score, counts in zip(scores, chosen, strict=True) if counts)
        for chosen in itertools.product((True, False), repeat=len(sizes))
    ]

    p = sign_test(differences, cap=cap).p_above(0.0)

    assert p == pytest.approx(sum(total >= observed for total in sums) / len(sums), abs=_ROUNDING)
    assert sign_test([-value for value in differences], cap=cap).p_below(0.0) == pytest.approx(p, abs=_ROUNDING)


@settings(max_examples=25, deadline=None)
@given(sizes=_SIZES | _SPIKED, capped=st.booleans())
def test_a_level_is_never_overspent_when_signs_are_fair_coins(sizes: list[float], capped: bool) -> None:
    """Of all ways in which the signs could fall, at most a share p has a p-value of p or less."""
    cap = half(len(sizes)) if capped else len(sizes)

    found = [sign_test(differences, cap=cap).p_above(0.0) for differences in _flips(sizes)]

    for level in set(found):
        assert sum(p <= level for p in found) / len(found) <= level + _ROUNDING
