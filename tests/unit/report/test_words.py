"""Figures as the report words them."""

from __future__ import annotations

import itertools

import pytest

from capbench.report.palette import DARK, LIGHT, contrast_ratio, style_subjects
from capbench.report.wording import (
    bytes_words,
    change_words,
    effect_words,
    interval_words,
    margin_words,
    seconds_words,
    shorten,
    times_words,
)
from capbench.results import MetricVerdict, Verdict
from capbench.results.visible_text import visible

_TEXT_ON_GROUND = [
    (text, ground)
    for text in ("ink", "quiet", "link", "better", "worse", "undecided", "same", *(f"s{slot}" for slot in range(8)))
    for ground in ("page",)
] + [
    ("ink", "surface"),
    ("quiet", "surface"),
    ("better", "better-wash"),
    ("worse", "worse-wash"),
    ("same", "same-wash"),
    ("undecided", "undecided-wash"),
    ("ink", "undecided-wash"),
    ("quiet", "undecided-wash"),
    ("link", "undecided-wash"),
]


def _verdict(**fields: object) -> MetricVerdict:
    base = {"case": "c", "metric": "wall_s", "base": "cpu", "new": "gpu", "verdict": Verdict.BETTER, "sentence": "s"}
    return MetricVerdict.model_validate(base | fields)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("#ffffff", "#000000", 21.0), ("#777777", "#ffffff", 4.48), ("#123456", "#123456", 1.0)],
)
def test_contrast_ratio_agrees_with_published_values(one: str, other: str, expected: float) -> None:
    """21:1 is the definition's maximum; #777 on white is the well-known grey that just fails AA."""
    assert contrast_ratio(one, other) == pytest.approx(expected, abs=0.005)  # published to two decimals


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), _TEXT_ON_GROUND)
def test_every_text_colour_reaches_aa_on_its_ground(theme: dict[str, str], text: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1. Subject colours are text too: they label their own lines."""
    assert contrast_ratio(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_axes_and_marks_reach_the_contrast_of_graphics(theme: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.11: 3 to 1 for what is needed to understand a chart."""
    assert contrast_ratio(theme["axis"], theme["page"]) >= 3


def test_light_colours_are_unique_because_charts_are_recoloured_by_them() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert LIGHT.keys() == DARK.keys()


def test_a_known_subject_looks_the_same_in_every_report() -> None:
    alone = style_subjects(["gpu"])["gpu"]

    assert style_subjects(["ffmpeg", "other", "gpu", "floor"])["gpu"] == alone


def test_no_two_of_40_subjects_look_alike() -> None:
    styles = style_subjects([f"exporter {number}" for number in range(40)])

    assert len(set(styles.values())) == 40


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    assert {words(None) for words in (seconds_words, bytes_words, times_words, change_words)} == {"\N{EN DASH}"}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.573, "42.7% less"),
        (1.05, "5.0% more"),
        (1.0, "unchanged"),
        (1.0002, "0.020% more"),
        (1.000001, "unchanged"),
        (0.0, "100.0% less"),
        (13.56, "13.6 times"),
        (float("inf"), "unbounded"),
    ],
)
def test_a_ratio_in_words(ratio: float, expected: str) -> None:
    assert change_words(ratio) == expected


@pytest.mark.parametrize(
    ("fields", "effect", "interval"),
    [
        ({"ratio": 0.57, "interval": (0.55, 0.59)}, "43.0% less", "[41.0, 45.0]%"),
        ({"ratio": 1.1, "interval": (1.05, 1.15)}, "10.0% more", "[5.0, 15.0]%"),
        ({"ratio": 0.99, "interval": (0.95, 1.03)}, "1.0% less", "[\N{MINUS SIGN}5.0, +3.0]%"),
        ({"ratio": 0.375, "interval": (0.375, 0.375)}, "62.5% less", "exact"),
        ({"ratio": 13.0, "interval": (12.0, 14.0)}, "13.0 times", "[12.0, 14.0] times"),
        ({"ratio": 3.0, "interval": (1.5, float("inf"))}, "3.0 times", "unbounded"),
        (
            {"metric": "quality.psnr_y.mean", "difference": -0.123, "interval": (-0.2, 0.001)},
            "\N{MINUS SIGN}0.12 dB",
            "[\N{MINUS SIGN}0.20, 0.00] dB",
        ),
        ({"metric": "quality.ssim_y.mean", "difference": 0.00031}, "+0.0003", ""),
        ({}, "\N{EN DASH}", ""),
    ],
)
def test_effect_and_interval_share_unit_and_direction(fields: dict[str, object], effect: str, interval: str) -> None:
    verdict = _verdict(**fields)

    assert (effect_words(verdict), interval_words(verdict)) == (effect, interval)


def test_a_margin_is_worded_in_the_unit_of_its_effect() -> None:
    assert margin_words(_verdict(ratio=0.9, margin=0.02)) == "2.0%"
    assert margin_words(_verdict(ratio=0.9, margin=0.02, required_ratio=0.65)) == "requires 35.0% less"
    assert margin_words(_verdict(metric="quality.psnr_y.mean", difference=0.1, margin=0.1)) == "0.10 dB"


@pytest.mark.parametrize("length", [1, 47, 48, 49, 300])
def test_shortening_keeps_both_ends_of_a_name_within_the_limit(length: int) -> None:
    name = "a" + "x" * (length - 2) + ("z" if length > 1 else "")

    short = shorten(name, 48)

    assert len(short) <= 48
    assert (short == name) == (length <= 48)
    assert (short[0], short[-1]) == (name[0], name[-1])


def test_names_that_differ_at_an_end_stay_different_when_shortened() -> None:
    names = ["x" * 60 + tail for tail in "abc"] + [head + "x" * 60 for head in "abc"]

    assert all(shorten(one) != shorten(other) for one, other in itertools.combinations(names, 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\tand\nlines", "plain\tand\nlines"),
        ("\u202eevil", "\\u202eevil"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
    ],
)
def test_control_characters_are_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_right_to_left_names_are_isolated_from_the_sentence() -> None:
    assert shorten("\u05e9\u05dc\u05d5\u05dd") == "\u2068\u05e9\u05dc\u05d5\u05dd\u2069"
    assert shorten("plain") == "plain"
