"""The rules that known benchmark tools decide by, for the comparison in the study; each says whether new is slower."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tests.bench.gate_noise import Times

__all__ = ["RIVALS"]

Alarms = NDArray[np.bool_]


def _pooled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """All values of all processes in one row, shape (simulations, runs * iterations)."""
    return values.reshape(len(values), -1)


def pooled_t_test(times: Times, _rng: np.random.Generator) -> Alarms:
    """Welch's t test on all values, two-sided 5%, and the mean is higher."""
    found = stats.ttest_ind(_pooled(times.new), _pooled(times.base), axis=1, equal_var=False)
    return np.asarray((found.pvalue < 0.05) & (found.statistic > 0))


def bootstrap_1_percent(times: Times, rng: np.random.Generator) -> Alarms:
    """The 95% percentile bootstrap interval of the ratio of means lies above 1.01; 200 resamples."""
    base, new = _pooled(times.base), _pooled(times.new)
    count = base.shape[1]
    alarms = np.empty(len(base), dtype=bool)
    for start in range(0, len(base), 250):  # in parts, so that the resamples fit into memory
        part = slice(start, start + 250)
        weights = rng.multinomial(count, np.full(count, 1 / count), (2, 200)) / count
        ratios = (new[part] @ weights[0].T) / (base[part] @ weights[1].T)
        alarms[part] = np.quantile(ratios, 0.025, axis=1) > 1.01
    return alarms


def u_test(times: Times, _rng: np.random.Generator) -> Alarms:
    """Mann-Whitney U on all values, two-sided 5%, and the median is higher."""
    base, new = _pooled(times.base), _pooled(times.new)
    p_values = stats.mannwhitneyu(new, base, axis=1, method="asymptotic").pvalue
    return np.asarray((p_values < 0.05) & (np.median(new, axis=1) > np.median(base, axis=1)))


def minimum_5_percent(times: Times, _rng: np.random.Generator) -> Alarms:
    """The fastest value is more than 5% slower."""
    return np.asarray(_pooled(times.new).min(axis=1) > 1.05 * _pooled(times.base).min(axis=1))


def ratio_10_percent(times: Times, _rng: np.random.Generator) -> Alarms:
    """The mean is more than 10% higher."""
    return np.asarray(_pooled(times.new).mean(axis=1) > 1.10 * _pooled(times.base).mean(axis=1))


def paired_t_2_percent(times: Times, _rng: np.random.Generator) -> Alarms:
    """One-sided 5% t test of the log ratios of block means against a margin of 2%."""
    ratios = np.log(times.new.mean(axis=2) / times.base.mean(axis=2))
    return np.asarray(stats.ttest_1samp(ratios, np.log(1.02), axis=1, alternative="greater").pvalue < 0.05)


RIVALS: dict[str, Callable[[Times, np.random.Generator], Alarms]] = {
    "t test, pooled": pooled_t_test,
    "bootstrap, 1%": bootstrap_1_percent,
    "U test, pooled": u_test,
    "minimum, 5%": minimum_5_percent,
    "ratio, 10%": ratio_10_percent,
    "paired t test, 2%": paired_t_2_percent,
}
"""Name in the table to the rule."""
