"""Checking a run against the thresholds of its case."""

from __future__ import annotations

from collections.abc import Mapping

from capbench.harness.matrix.model import Limit
from capbench.results.run_record import RunResult
from capbench.results.validation import Check, CheckStatus

__all__ = ["check_thresholds"]


def check_thresholds(run: RunResult, limits: Mapping[str, Limit]) -> tuple[Check, ...]:
    """One check for each limit. A value that is not there is unchecked, which is not a pass."""
    return tuple(_hold(run, name, limit) for name, limit in limits.items())


def _hold(run: RunResult, name: str, limit: Limit) -> Check:
    check_name = f"threshold.{name}"
    value = _value(run, name)
    if value is None:
        reason = _why_unmeasured(run, name.partition(".")[0])
        return Check(name=check_name, status=CheckStatus.UNCHECKED, message=f"{name} could not be checked: {reason}")
    if limit.min is not None and value < limit.min:
        message, bound = f"{name} is {value:g}, below the limit of {limit.min:g}", limit.min
    elif limit.max is not None and value > limit.max:
        message, bound = f"{name} is {value:g}, above the limit of {limit.max:g}", limit.max
    else:
        return Check(name=check_name, status=CheckStatus.PASS, message=f"{name} is {value:g}", value=value)
    return Check(name=check_name, status=CheckStatus.FAIL, message=message, value=value, limit=bound)


def _why_unmeasured(run: RunResult, field: str) -> str:
    of_metrics = run.validation.unmeasured if run.validation is not None else {}
    return (
        run.unmeasured.get(field) or of_metrics.get(field) or run.unmeasured.get("validation") or "it was not measured"
    )


def _value(run: RunResult, name: str) -> float | None:
    """A numeric field of the run, or `<metric>.<pool>` of its quality."""
    metric, _, pool = name.partition(".")
    found: object
    if pool:
        summary = run.validation.metrics.get(metric) if run.validation is not None else None
        found = getattr(summary, pool, None)
    else:
        found = getattr(run, name, None)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
