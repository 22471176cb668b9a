"""A short run of the study behind blocks in slices, and of the evaluation of records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.bench.slice_evaluate import evaluate
from tests.bench.slice_record import Variant
from tests.bench.slice_study import STEP_S, WORK_S, Machine, log_ratios


@pytest.mark.parametrize("noise", ["wander", "bursts", "steps"])
def test_slices_halve_the_noise_where_it_is_slower_than_they_are(noise: str) -> None:
    """Time constant of the order of a run: whole runs see different machines, slices the same one."""
    plain, sliced = (
        log_ratios(noise, 1.0, slice_ms=way, effect=0.0, pairs=120, seed=1).std(ddof=1) for way in (None, 100.0)
    )

    assert sliced < plain / 2


def test_an_effect_is_the_same_in_slices() -> None:
    values = log_ratios("wander", 1.0, slice_ms=100.0, effect=0.05, pairs=200, seed=1)

    # within three standard errors, and these are small enough to tell 5% from 4%
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert error < 0.002
    assert abs(values.mean() - math.log(1.05)) < 3 * error


def test_slices_gain_nothing_where_noise_is_faster_than_they_are() -> None:
    """The study can come out against them."""
    plain, sliced = (
        log_ratios("wander", 0.01, slice_ms=way, effect=0.0, pairs=120, seed=1).std(ddof=1) for way in (None, 100.0)
    )

    assert sliced > 0.8 * plain


def test_work_is_looked_up_exactly_on_a_machine_of_known_speed() -> None:
    """Half speed from 1 s on: 1.5 s of work take 2 s."""
    speed = np.concatenate([np.ones(1000), np.full(4000, 0.5)])
    machine = Machine(np.concatenate([[0.0], np.cumsum(speed) * STEP_S]))

    assert machine.finish_s(0.0, WORK_S) == pytest.approx(2.0, abs=2 * STEP_S)
    assert machine.done_at(3.0) == pytest.approx(2.0, abs=2 * STEP_S)


def _lines(variant: str, effect: float, spread: float, count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    lines = []
    for number in range(count):
        base_s = 2 * math.exp(rng.normal(0, spread))
        new_s = 2 * (1 + effect) * math.exp(rng.normal(0, spread))
        line = {"variant": variant, "effect": effect, "wall_s": [base_s, new_s], "round": number}
        lines.append(line | {"planted_s": new_s * effect / (1 + effect), "load_1min": 1.0})
    return lines


def test_the_evaluation_finds_what_was_put_in() -> None:
    lines = [
        line
        for variant, spread in (("plain", 0.06), ("slice_ms=100", 0.015))
        for effect in (0.0, 0.05)
        for line in _lines(variant, effect, spread, 60)
    ]

    text = evaluate(lines)

    rows = {tuple(cell.strip() for cell in row.split("|")[1:3]): row for row in text.splitlines() if row.count("|") > 3}
    assert "| 0 of 6 (0% to 46%) |" in rows["slice_ms=100", "0%"]
    assert "| 6 of 6 (54% to 100%) |" in rows["slice_ms=100", "5%"]
    ratio = next(row for row in text.splitlines() if row.startswith("| slice_ms=100 | 0% | 0."))
    assert 0.15 < float(ratio.split("|")[3].split()[0]) < 0.4  # 0.25 was put in; 60 pairs give it within a quarter


@pytest.mark.parametrize("text", ["plain", "slice_ms=100", "slice_ms=30,seconds=4,cores=1,layout=fixed,means=signals"])
def test_a_variant_is_written_as_it_is_read(text: str) -> None:
    assert Variant.parse(text).name == text
