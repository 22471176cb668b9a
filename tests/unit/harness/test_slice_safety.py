"""Which cases are not measured in slices, and why."""

from __future__ import annotations

from typing import Any

import pytest

from capbench.harness.matrix.model import Subject
from capbench.harness.run.slice_safety import memory_refusal, refuse_slices, trial_refusal
from capbench.results.run_record import RunResult, RunRole, SliceAccount

_GPU = "NVIDIA H100 (Vulkan)"


def _run(subject: str = "gpu", *, idle: float | None = None, overlap: float = 0.0, **fields: Any) -> RunResult:
    account = SliceAccount(slice_ms=100, count=9, alone_share=0.0, overlap_share=overlap, gpu_idle_share=idle)
    return RunResult(
        case="a", subject=subject, block=-4, order=0, role=RunRole.TRIAL, interleave="slices", slices=account, **fields
    )


@pytest.mark.parametrize(("count", "is_refused"), [(1, True), (2, False), (10, False), (11, True)])
def test_two_to_ten_subjects_take_turns(count: int, *, is_refused: bool) -> None:
    subjects = [Subject(name=f"s{number}", path="cpu") for number in range(count)]

    assert (refuse_slices(subjects) is not None) == is_refused


def test_subjects_must_fit_into_memory_together() -> None:
    warmups = {name: _run(name, peak_rss_bytes=10**9) for name in ("one", "two")}

    assert memory_refusal(warmups, 24 * 10**8) is None
    assert memory_refusal(warmups, 23 * 10**8) is not None


@pytest.mark.parametrize(
    ("fields", "idle", "hardware"),
    [
        ({"adapter": _GPU, "adapter_is_software": False}, None, _GPU),  # a revision that does not wait for its GPU
        ({"adapter": _GPU, "adapter_is_software": False}, 1.0, None),
        ({"adapter": _GPU, "adapter_is_software": False}, 0.0, None),  # it waits; the GPU was never seen to be behind
        ({"adapter": "llvmpipe", "adapter_is_software": True}, None, None),
        ({"encoder": "libx264", "decoder_used": "software"}, None, None),
        ({"encoder": "h264_nvenc", "decoder_used": "software"}, None, "h264_nvenc"),
        ({"encoder": "libx264", "decoder_used": "vaapi"}, None, "vaapi"),
        ({}, None, None),  # a command: what it works with is not known
    ],
)
def test_hardware_that_works_on_for_a_stopped_process_is_refused(
    fields: dict[str, Any], idle: float | None, hardware: str | None
) -> None:
    trials = {"other": _run("other"), "mine": _run("mine", idle=idle, **fields)}

    refusal = trial_refusal({}, trials)

    assert (refusal is not None) == (hardware is not None)
    if refusal is not None and hardware is not None:
        assert "mine" in refusal
        assert hardware in refusal


def test_who_fails_or_runs_on_only_in_slices_is_refused() -> None:
    warmups = {"mine": _run("mine"), "broken": _run("broken", error="no file")}

    assert trial_refusal(warmups, {"mine": _run("mine", error="timed out")}) is not None
    assert trial_refusal(warmups, {"broken": _run("broken", error="no file")}) is None
    assert trial_refusal(warmups, {"mine": _run("mine", overlap=0.011)}) is not None
    assert trial_refusal(warmups, {"mine": _run("mine", overlap=0.009)}) is None


def test_what_a_gpu_did_between_slices_is_written_only_where_there_was_one() -> None:
    """Readers of before do not know the field."""
    with_gpu, without = _run(idle=0.9), _run()

    assert with_gpu.model_dump(mode="json")["slices"]["gpu_idle_share"] == 0.9
    assert "gpu_idle_share" not in without.model_dump(mode="json")["slices"]
    assert RunResult.model_validate_json(with_gpu.model_dump_json()) == with_gpu
    assert RunResult.model_validate_json(without.model_dump_json()) == without
    assert "slices" not in without.model_dump(exclude={"slices"})
