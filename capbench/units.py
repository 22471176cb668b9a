"""Quantities as people write them, and values as messages quote them."""

from __future__ import annotations

import re
from fractions import Fraction

from capbench.errors import InputError

__all__ = ["format_bytes", "format_seconds", "parse_bytes", "parse_ratio", "parse_seconds", "shown"]

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


SHOWN_CHARACTERS = 80
"""Of a value in a message: a list from a file may be a megabyte long."""


def shown(value: object) -> str:
    """A value as a message quotes it: `repr`, cut to `SHOWN_CHARACTERS`."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def parse_bytes(text: str) -> int:
    """Bytes from text such as `400M`, `1.5 GiB` or `1048576`; K, M and G are powers of 1000. Raises `InputError`."""
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([A-Za-z]*)\s*", text)
    factor = _BYTE_FACTORS.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise InputError(f"not a size in bytes: {text!r}; write for example 400M or 1.5GiB")
    return round(float(match[1]) * factor)


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
    """A time for people: `250 ms`, `4.21 s`, `2 min 05 s`, `1 h 02 min`."""
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
