"""Quantities as people write them, sizes as 4:2:0 video can have them, and values as messages quote them."""

from __future__ import annotations

import logging
import math
import re
from fractions import Fraction

from capbench.errors import InputError

__all__ = [
    "check_rate",
    "even_length",
    "format_bytes",
    "format_seconds",
    "parse_bitrate",
    "parse_bytes",
    "parse_rate",
    "parse_ratio",
    "parse_seconds",
    "shown",
]

_LOGGER = logging.getLogger(__name__)

_BYTE_FACTORS = {"": 1, "B": 1, "K": 10**3, "KB": 10**3, "KIB": 2**10, "M": 10**6, "MB": 10**6, "MIB": 2**20}
_BYTE_FACTORS |= {"G": 10**9, "GB": 10**9, "GIB": 2**30}
_NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
_RATIO = re.compile(
    r"[+-]?(?:\d{1,18}/(?P<below>\d{1,18})|(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,2})?)", re.ASCII
)
"""Bounded, because `Fraction("1e999999999")` works for hours on its power of ten."""
_TIME = re.compile(
    rf"(?:(?P<h>{_NUMBER})\s*h)?\s*(?:(?P<m>{_NUMBER})\s*m(?:in)?(?!s))?\s*"
    rf"(?:(?P<s>{_NUMBER})\s*s)?\s*(?:(?P<ms>{_NUMBER})\s*ms)?"
)
_SECOND_FACTORS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_RATE = re.compile(r"([0-9]{1,10})\s*/\s*([0-9]{1,10})")
_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,20})?")
_NTSC_RATES = {
    Fraction(written): Fraction(nominal * 1000, 1001)
    for written, nominal in (
        ("23.976", 24),
        ("23.98", 24),
        ("29.97", 30),
        ("47.952", 48),
        ("59.94", 60),
        ("119.88", 120),
    )
}
"""What people write for the rates of television, which are n * 1000 / 1001 (SMPTE ST 12-1)."""
_SLOWEST_RATE, _FASTEST_RATE = Fraction(1, 3600), Fraction(1000)
"""A frame an hour is a time lapse; no screen shows more than 1000 a second."""
_LARGEST_TERM = 2**31 - 1
"""FFmpeg keeps numerator and denominator of a rate in 32 bits each."""


SHOWN_CHARACTERS = 80
"""Of a value in a message: a list from a file may be a megabyte long."""


def shown(value: object) -> str:
    """A value as a message quotes it: `repr`, a fraction as `3/8`, cut to `SHOWN_CHARACTERS`."""
    try:
        text = str(value) if isinstance(value, Fraction) else repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def parse_bytes(text: str) -> int:
    """Bytes from text such as `400M`, `1.5 GiB` or `1048576`; K, M and G are powers of 1000. Raises `InputError`."""
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([A-Za-z]*)\s*", text)
    factor = _BYTE_FACTORS.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise InputError(f"not a size in bytes: {text!r}; write for example 400M or 1.5GiB")
    return round(float(match[1]) * factor)


def parse_bitrate(text: str) -> int:
    """Bits a second from text such as `800k`, `2.5M` or `2500000`, as ffmpeg takes them. Raises `ValueError`."""
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([kKMG]?)\s*", text)
    if match is None:
        raise InputError(f"not a bit rate: {shown(text)}; write for example 800k or 2.5M")
    return round(float(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2].replace("K", "k")])


def parse_seconds(text: str) -> float:
    """Seconds from text such as `90`, `250ms`, `10m` or `1h30m`. Raises `InputError`."""
    bare = text.strip()
    if re.fullmatch(_NUMBER, bare):
        return float(bare)
    match = _TIME.fullmatch(bare) if bare else None
    if match is None:
        raise InputError(f"not a time: {text!r}; write for example 90, 10m or 1h30m")
    return sum(float(number) * _SECOND_FACTORS[unit] for unit, number in match.groupdict(default="0").items())


def parse_ratio(text: str) -> Fraction:
    """An exact ratio from text such as `0.375`, `3/8` or `25e-2`. Raises `InputError`."""
    match = _RATIO.fullmatch(text.strip())
    if match is None or (match["below"] is not None and int(match["below"]) == 0):
        raise InputError(f"not a ratio: {shown(text)}; write for example 0.375 or 3/8")
    return Fraction(match[0])


def parse_rate(value: float | str | Fraction) -> Fraction:
    """Frames a second from `30`, `"30000/1001"` or `29.97`. Raises `InputError`.

    A ratio is taken as it is. A decimal number is read by its decimals, 29.5 as 59/2, but 23.976, 23.98, 29.97, 47.952,
    59.94 and 119.88 mean n * 1000 / 1001, and the log says so.
    """
    rate = _rate_of(value)
    if rate is None:
        raise InputError(f"not a frame rate: {shown(value)}; write for example 30 or '30000/1001'")
    return check_rate(rate)


def check_rate(rate: Fraction) -> Fraction:
    """The rate itself. Raises `InputError` where no video can have it."""
    if not _SLOWEST_RATE <= rate <= _FASTEST_RATE:
        raise InputError(f"a frame rate must be between {_SLOWEST_RATE} and {_FASTEST_RATE}, got {shown(rate)}")
    if max(rate.numerator, rate.denominator) > _LARGEST_TERM:
        raise InputError(f"both numbers of a frame rate must be at most {_LARGEST_TERM}, got {shown(rate)}")
    return rate


def _rate_of(value: object) -> Fraction | None:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return Fraction(value)
    # The shortest decimals that mean this float are what somebody wrote; its binary value is nobody's rate.
    text = value.strip() if isinstance(value, str) else repr(value)
    if match := _RATE.fullmatch(text):
        return Fraction(int(match[1]), int(match[2])) if int(match[2]) else None
    if not _DECIMAL.fullmatch(text):
        return Fraction(text) if isinstance(value, float) and math.isfinite(value) else None
    written = Fraction(text)
    exact = _NTSC_RATES.get(written)
    if exact is None and max(written.numerator, written.denominator) > _LARGEST_TERM:
        # More decimals than a rate can have: 29.97002997002997 is what 30000 / 1001 comes to in floats.
        exact = next((ratio for ratio in _NTSC_RATES.values() if float(ratio) == float(written)), None)
    if exact is not None:
        _LOGGER.warning("frame rate %s is read as %s; write a ratio such as 2997/100 for any other", text, exact)
        return exact
    return written


def format_bytes(size_bytes: float) -> str:
    """Three significant figures with a decimal unit: `1.24 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 999.5 or unit == "TB":
            break
        size /= 1000
    if unit == "B":
        return f"{size:.0f} B"
    return f"{size:.{2 if abs(size) < 9.995 else 1 if abs(size) < 99.95 else 0}f} {unit}"


def format_seconds(time_s: float) -> str:
    """A time for people: `250 ms`, `4.21 s`, `2 min 05 s`, `1 h 02 min`; `inf s` of a file that claims that."""
    if not math.isfinite(time_s):
        return f"{time_s} s"
    if time_s < 0:
        return f"-{format_seconds(-time_s)}"
    if time_s < 0.9995:
        return f"{time_s * 1000:.0f} ms"
    if time_s < 59.95:
        return f"{time_s:.{2 if time_s < 9.995 else 1}f} s"
    minutes, seconds = divmod(round(time_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def even_length(length: Fraction | float) -> int:
    """The even number of pixels that is nearest to a length, at least 2; of an odd number the one below.

    4:2:0 has one chroma sample for two columns and two rows. A last odd column or row of a picture is cut off.
    """
    return max(2, 2 * math.ceil((Fraction(length) - 1) / 2))
