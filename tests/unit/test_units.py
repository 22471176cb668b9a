"""Quantities as people write them."""

from __future__ import annotations

import logging
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capbench.errors import InputError
from capbench.units import (
    even_length,
    format_bytes,
    format_seconds,
    parse_bytes,
    parse_rate,
    parse_ratio,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1048576", 1048576),
        ("400M", 400_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("2kb", 2000),
        ("0", 0),
        (" 3 KiB ", 3072),
    ],
)
def test_sizes_are_read(text: str, size_bytes: int) -> None:
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "M", "-1M", "1.5.2", "400 X", "1e6", "nan", "inf", "9" * 400])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"not a size in bytes: .*; write for example 400M"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("90", 90.0),
        ("250ms", 0.25),
        ("10m", 600.0),
        ("10min", 600.0),
        ("1h30m", 5400.0),
        ("1 h 30 m", 5400.0),
        ("1.5s", 1.5),
    ],
)
def test_times_are_read(text: str, time_s: float) -> None:
    assert parse_seconds(text) == time_s


@pytest.mark.parametrize(
    "text", ["", "m", "-5", "1:30", "5x", "1e3", "90 90", "5 s 5", "5s 1m", "1m1m", "nan", "9" * 400]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"not a time: .*; write for example 90, 10m"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (1_236_000, "1.24 MB"),
        (99_960_000, "100 MB"),
        (999_600_000, "1.00 GB"),
        (2e15, "2000 TB"),
        (-1500, "-1.50 kB"),
    ],
)
def test_sizes_have_three_figures(size_bytes: float, text: str) -> None:
    assert format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0, "0 ms"),
        (0.2504, "250 ms"),
        (0.9996, "1.00 s"),
        (4.213, "4.21 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (-0.25, "-250 ms"),
        (-65, "-1 min 05 s"),
        (-3720, "-1 h 02 min"),
        (float("inf"), "inf s"),
        (float("-inf"), "-inf s"),
    ],
)
def test_times_are_written_for_people(time_s: float, text: str) -> None:
    assert format_seconds(time_s) == text


@pytest.mark.parametrize(
    ("length", "even"),
    [
        (Fraction(2560, 3), 854),  # 640x480 with pixels of 4:3: 853.33
        (Fraction(8529, 10), 852),
        (321, 320),  # a last odd column is cut off
        (322, 322),
        (1, 2),
        (Fraction(1, 1000), 2),
        (10**30 + 1, 10**30),
    ],
)
def test_sides_are_rounded_to_the_nearest_even_number(length: Fraction, even: int) -> None:
    assert even_length(length) == even


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("0.375", Fraction(3, 8)),
        ("3/8", Fraction(3, 8)),
        (" 2 ", Fraction(2)),
        ("25e-2", Fraction(1, 4)),
        (".5", Fraction(1, 2)),
    ],
)
def test_a_ratio_is_exact(text: str, ratio: Fraction) -> None:
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize(
    "text", ["", "1/0", "nan", "inf", "1e999999999", "9" * 5000, "1/" + "9" * 5000, "a", "1e-999", "\u0663"]
)
def test_what_is_no_ratio_is_refused_at_once(text: str) -> None:
    with pytest.raises(InputError, match="not a ratio") as raised:
        parse_ratio(text)

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (30, Fraction(30)),
        ("30", Fraction(30)),
        (30.0, Fraction(30)),
        ("30000/1001", Fraction(30000, 1001)),
        ("24000 / 1001", Fraction(24000, 1001)),
        (29.5, Fraction(59, 2)),
        (14.985, Fraction(2997, 200)),
        (0.1, Fraction(1, 10)),
        (1e-3, Fraction(1, 1000)),
        (Fraction(25), Fraction(25)),
    ],
)
def test_rates_are_read_by_their_decimals(
    value: float | str | Fraction, rate: Fraction, caplog: pytest.LogCaptureFixture
) -> None:
    assert parse_rate(value) == rate
    assert caplog.records == []


@pytest.mark.parametrize(
    ("written", "nominal"),
    [("23.976", 24), ("23.98", 24), ("29.97", 30), ("47.952", 48), ("59.94", 60), ("119.88", 120)],
)
def test_rates_of_television_are_the_ratio_that_their_decimals_stand_for(
    written: str, nominal: int, caplog: pytest.LogCaptureFixture
) -> None:
    exact = Fraction(nominal * 1000, 1001)
    with caplog.at_level(logging.WARNING):
        assert parse_rate(float(written)) == exact
        assert parse_rate(written) == exact

        assert parse_rate(float(exact)) == exact  # what nominal * 1000 / 1001 comes to in floats

    assert len(caplog.records) == 3
    assert all(str(exact) in record.getMessage() for record in caplog.records)


def test_a_ratio_is_taken_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """What somebody wrote as 2997/100 is not 30000/1001."""
    assert parse_rate("2997/100") == Fraction(2997, 100)
    assert caplog.records == []


@pytest.mark.parametrize(
    "value",
    [
        *("", "fast", "1/0", "0/1", "-30", "30/", "/30", "1e3", "30 fps", "\u0663\u0660", "9" * 5000, "1" + "0" * 11),
        *(0, -1, 1001, 10**400, 0.0, -29.97, float("nan"), float("inf"), 1e-300, 1e300),
        *("2147483648/2147483647", Fraction(1, 3601), True, None, [30]),
    ],
)
def test_what_is_no_rate_is_refused_in_one_line(value: object) -> None:
    with pytest.raises(InputError, match="frame rate") as caught:
        parse_rate(value)  # type: ignore[arg-type]  # TOML hands over anything

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@settings(deadline=None)  # a busy machine is no fault
@given(st.floats(min_value=0.01, max_value=1000))
def test_any_float_is_read_as_somebody_wrote_it(value: float) -> None:
    written = Fraction(repr(value))
    try:
        rate = parse_rate(value)
    except InputError:
        assert max(written.numerator, written.denominator) >= 2**31
        return
    # A television rate is within a part in a thousand of its decimals; any other is exact.
    assert rate == written or (rate.denominator == 1001 and abs(rate / written - 1) < Fraction(1, 1000))


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_a_rate_survives_being_written(numerator: int, denominator: int) -> None:
    """The matrix keeps rates as text."""
    rate = Fraction(numerator, denominator)
    if Fraction(1, 3600) <= rate <= 1000:
        assert parse_rate(str(rate)) == rate


@settings(deadline=None)  # a busy machine is no fault
@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers())))
def test_anything_is_a_rate_or_an_input_error(value: object) -> None:
    try:
        rate = parse_rate(value)  # type: ignore[arg-type]  # TOML hands over anything
    except InputError:
        return
    assert Fraction(1, 3600) <= rate <= 1000
    assert max(rate.numerator, rate.denominator) < 2**31
