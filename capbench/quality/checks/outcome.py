"""Short names for the four outcomes of a check."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.results import Check, CheckStatus

__all__ = ["failed", "not_applicable", "passed", "passed_if", "unchecked"]

_MOST_FRAMES = 20


def passed(name: str, message: str, value: float | None = None, limit: float | None = None, unit: str = "") -> Check:
    """The check was made and nothing is wrong."""
    return Check(name=name, status=CheckStatus.PASS, message=message, value=value, limit=limit, unit=unit)


def failed(
    name: str,
    message: str,
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    *,
    frames: Sequence[int] = (),
) -> Check:
    """The check was made and something is wrong."""
    concerned = tuple(frames[:_MOST_FRAMES])
    return Check(
        name=name, status=CheckStatus.FAIL, message=message, value=value, limit=limit, unit=unit, frames=concerned
    )


def passed_if(
    good: bool, name: str, *, when_good: str, when_bad: str, value: float | None, limit: float | None, unit: str = ""
) -> Check:
    """Pass or fail with the same figures."""
    if good:
        return passed(name, when_good, value, limit, unit)
    return failed(name, when_bad, value, limit, unit)


def not_applicable(name: str, why: str) -> Check:
    """There is nothing to check."""
    return Check(name=name, status=CheckStatus.NOT_APPLICABLE, message=why)


def unchecked(name: str, why: str) -> Check:
    """There was something to check and it could not be done: that is not a pass."""
    return Check(name=name, status=CheckStatus.UNCHECKED, message=why)
