"""Whether a machine is worth sending files to: the time that sending takes against the time that it takes off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from capbench.results.metric_registry import QualityMetric
from capbench.units import format_bytes

__all__ = ["SendingChoice", "choose_sending", "measuring_s"]

_BASE_CPU_S = 0.016
"""CPU time of a pair of 1920x1080 pictures for all that the checks need, decoding included (docs/validation.md)."""
_BASE_PX = 1920 * 1080
_FREE_METRICS = ("psnr", "ssim")
"""Metrics whose time is in that already."""


def measuring_s(frames: int, pixels: int, metrics: Sequence[QualityMetric]) -> float:
    """CPU time in seconds of measuring that many pairs of pictures of a size, about: by the registry's costs."""
    of_metrics_s = sum(each.cost_cpu_ms or 0.0 for each in metrics if each.name not in _FREE_METRICS) / 1000
    return frames * pixels / _BASE_PX * (_BASE_CPU_S + of_metrics_s)


@dataclass(frozen=True, slots=True)
class SendingChoice:
    """What was decided about one machine."""

    machine: str
    """Its name."""
    is_worth_it: bool
    """Whether it gets the files."""
    reason: str
    """Size against time, in words."""


def choose_sending(
    machine: str,
    *,
    missing_bytes: int,
    bytes_per_s: float,
    work_s: float,
    share: float,
    work: Literal["measuring", "validating"] = "measuring",
) -> SendingChoice:
    """Decide from what is missing there, the measured rate, the work in seconds and the share that the machine takes.

    A machine is worth it where its share of the work takes longer than sending: until then whoever has the files would
    have done that share.
    """
    saved_s = work_s * share
    send_s = missing_bytes / bytes_per_s if missing_bytes else 0.0
    if not missing_bytes:
        return SendingChoice(machine, is_worth_it=True, reason=f"{machine} has the files")
    words = (
        f"{machine}: {format_bytes(missing_bytes)} at {format_bytes(round(bytes_per_s))}/s take {send_s:.1f} s, "
        f"for {saved_s:.1f} s of {work}"
    )
    is_worth_it = send_s < saved_s
    return SendingChoice(machine, is_worth_it, f"{words}: {'sent' if is_worth_it else 'not worth sending'}")
