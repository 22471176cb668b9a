"""The account of a run in slices, and the figures that it cannot have."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.harness.process.slice_turn import SliceTurn
from capbench.results.run_record import RunResult, SliceAccount

__all__ = ["in_slices", "slice_accounts"]

_SLICED = "measured in slices: "
_UNKNOWN_IN_SLICES = {
    "cpu_per_core_percent": f"{_SLICED}CPU load includes all subjects of the block",
    "telemetry": f"{_SLICED}GPU counters include all subjects of the block",
    "gpu_busy_s": f"{_SLICED}GPU time stamps include the time for which the process was stopped",
    "gpu_percent": f"{_SLICED}GPU time stamps include the time for which the process was stopped",
}
"""What is not true of a run in slices, with the reason. Bytes, memory and CPU seconds are; wall time, stages and
latency are running time."""


def slice_accounts(turns: Sequence[SliceTurn], slice_ms: float) -> list[SliceAccount]:
    """How each run of a block was made, in the order of its turns."""
    running_s = [turn.running_s() for turn in turns]
    overlap_s, total_s = sum(turn.overlap_ns for turn in turns) / 1e9, sum(running_s)
    return [
        SliceAccount(
            slice_ms=slice_ms,
            count=turn.slices,
            means=turn.how,
            alone_share=turn.alone_ns / 1e9 / own_s if own_s else 0.0,
            overlap_share=overlap_s / total_s if total_s else 0.0,
            gpu_idle_share=_gpu_idle_share(turn),
        )
        for turn, own_s in zip(turns, running_s, strict=True)
    ]


def _gpu_idle_share(turn: SliceTurn) -> float | None:
    if not turn.leaves_gpu_idle:
        return None
    return turn.idle_stops / turn.stops_while_drawing if turn.stops_while_drawing else 1.0


def in_slices(run: RunResult, account: SliceAccount) -> RunResult:
    """The run as one that was made in slices: what is not true of it is None, with the reason."""
    reasons = {name: reason for name, reason in _UNKNOWN_IN_SLICES.items() if name not in run.unmeasured}
    return run.model_copy(
        update={
            "interleave": "slices",
            "slices": account,
            "gpu_busy_s": None,
            "gpu_percent": None,
            "unmeasured": run.unmeasured | reasons,
        }
    )
