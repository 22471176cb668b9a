"""An export stays inside its memory: the plan adds up, and limits of control groups count."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from capbench.errors import InputError
from capbench.pipeline import memory_plan
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.job import ExportJob, ExportOptions, prepare
from capbench.pipeline.memory_plan import CodecPlan, estimated_bytes, plan_codecs, plan_export
from capbench.pipeline.threads.memory_budget import (
    DEFAULT_BUDGET_BYTES,
    FrameSizes,
    channel_frames,
    plan_memory,
)
from capbench.recordings import RecordingSpec, make_recording

ULTRAFAST = EncoderSettings(preset="ultrafast")
NV12_4K = 3840 * 2160 * 3 // 2
MB = 10**6


GPU_4K = FrameSizes(decoded_bytes=NV12_4K, upload_bytes=2 * NV12_4K, staging_bytes=2 * NV12_4K, picture_bytes=NV12_4K)
RGBA_4K = 3840 * 2160 * 4
CPU_4K = FrameSizes(
    decoded_bytes=NV12_4K, upload_bytes=2 * NV12_4K, staging_bytes=RGBA_4K + NV12_4K, picture_bytes=RGBA_4K + NV12_4K
)


@pytest.mark.parametrize("budget_bytes", [110 * MB, DEFAULT_BUDGET_BYTES, 400 * MB, 10**10])
@pytest.mark.parametrize("reserved_bytes", [0, 2 * MB])
@pytest.mark.parametrize("others_bytes", [0, 5 * MB])
def test_plan_stays_inside_its_budget(budget_bytes: int, reserved_bytes: int, others_bytes: int) -> None:
    plan = plan_memory(
        GPU_4K,
        budget_bytes=budget_bytes,
        max_frames=32,
        reserved_bytes=reserved_bytes,
        others_bytes=others_bytes,
    )

    in_hand = 1
    frames = in_hand + plan.decoded_frames + 2 * plan.upload_slots + 2 * plan.staging_slots + plan.pictures
    assert plan.owned_bytes == frames * NV12_4K + reserved_bytes
    assert plan.owned_bytes + others_bytes <= budget_bytes
    assert plan.staging_slots <= 4
    assert max(plan.pictures, plan.decoded_frames) <= 32


def test_default_holds_4k_in_160_mb_with_two_pictures_in_each_ring() -> None:
    """While one slot is filled the other is drawn from; while one picture is encoded the other is read back."""
    plan = plan_memory(GPU_4K, max_frames=32, reserved_bytes=8 * MB)

    assert plan.owned_bytes <= 160 * MB
    assert (plan.upload_slots, plan.staging_slots, plan.pictures) == (2, 2, 2)


@pytest.mark.parametrize(("height", "frames"), [(2160, 3), (1080, 12), (360, 32)])
def test_queue_by_itself_takes_no_more_than_40_mb(height: int, frames: int) -> None:
    """The floor has one queue, which by the budget alone would hold ten frames of 4K."""
    nv12_bytes = height * height * 16 // 9 * 3 // 2

    assert plan_memory(FrameSizes(decoded_bytes=nv12_bytes), max_frames=32).decoded_frames == frames


def test_more_memory_never_means_less_room() -> None:
    sizes = FrameSizes(decoded_bytes=MB, upload_bytes=MB, staging_bytes=MB, picture_bytes=MB)

    owned = [plan_memory(sizes, budget_bytes=n * MB, max_frames=32).owned_bytes for n in range(7, 80)]

    assert owned == sorted(owned)


def test_default_grows_to_the_least_where_that_is_more() -> None:
    """RGBA at 4K; a limit that was asked for does not grow, nor does memory that is not there."""
    plan = plan_memory(CPU_4K, max_frames=32)

    assert plan.owned_bytes == CPU_4K.least_bytes == 3 * RGBA_4K + 7 * NV12_4K > DEFAULT_BUDGET_BYTES
    assert (plan.staging_slots, plan.pictures) == (1, 2)
    with pytest.raises(InputError, match="100 MB of memory is too little"):
        plan_memory(CPU_4K, budget_bytes=100 * MB, max_frames=32)
    with pytest.raises(InputError, match="100 MB of memory, half of what is free, is too little"):
        plan_memory(CPU_4K, ceiling_bytes=100 * MB, max_frames=32)


def test_too_small_a_limit_says_what_is_needed() -> None:
    with pytest.raises(InputError, match=r"100 MB of memory is too little: .* need 160 MB; pass --memory-limit 160M"):
        plan_memory(GPU_4K, budget_bytes=100 * MB, others_bytes=60 * MB, max_frames=16)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    """An export of 4K by path gpu, of which only the sizes are real."""
    source = make_recording(RecordingSpec("plan", 160, 90, 30, 0.1))
    small = prepare(source, tmp_path_factory.mktemp("plan") / "out.mp4", ExportOptions(path="gpu"))
    return replace(small, source=replace(small.source, width=3840, height=2160), canvas=CanvasSize(3840, 2160))


def with_options(job: ExportJob, **changes: Any) -> ExportJob:
    return replace(job, options=replace(job.options, **changes))


def with_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(memory_plan, "usable_cores", lambda: cores)


@pytest.mark.parametrize(
    ("cores", "height", "decoder", "encoder"),
    [
        pytest.param(1, 2160, 1, 1, id="one-core"),
        pytest.param(2, 2160, 2, 2, id="two-cores"),
        pytest.param(4, 2160, 3, 4, id="four-cores"),
        pytest.param(8, 2160, 3, 5, id="laptop"),
        pytest.param(16, 2160, 3, 10, id="workstation"),
        pytest.param(128, 2160, 3, 16, id="server"),
        pytest.param(128, 360, 3, 5, id="few-rows"),
    ],
)
def test_threads_follow_cores_and_rows(
    cores: int, height: int, decoder: int, encoder: int, *, job: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cores(monkeypatch, cores)

    plan = plan_codecs(replace(job, canvas=CanvasSize(height * 16 // 9, height)))

    assert plan == CodecPlan(decoder, encoder)


def test_threads_that_were_asked_for_are_taken_under_any_limit(job: ExportJob) -> None:
    plan = plan_codecs(with_options(job, decoder_threads=7, encoder_threads=9, memory_limit_bytes=300 * MB))

    assert (plan.decoder_threads, plan.encoder_threads) == (7, 9)


def test_hardware_has_no_threads_of_ours(job: ExportJob) -> None:
    assert plan_codecs(with_options(job, encoder=EncoderSettings("h264_nvenc"))).encoder_threads is None


def test_encoder_does_not_depend_on_what_is_free_nor_on_the_path(
    job: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x264's bytes depend on its threads and its look-ahead; only queues may follow what happens to be free."""
    with_cores(monkeypatch, 16)
    limited = with_options(job, memory_limit_bytes=900 * MB)
    plans, decoded_frames = set(), set()
    for available_bytes in (100 * MB, 4000 * MB):
        monkeypatch.setattr(memory_plan, "available_memory_bytes", lambda free=available_bytes: free)
        for path in ("cpu", "gpu", "gpu-fused", "passthrough", "floor"):
            plans.add(plan_codecs(replace(limited, path_requested=path)))
        decoded_frames.add(plan_export(with_options(job, encoder=ULTRAFAST), "floor").decoded_frames)

    assert len(plans) == 1
    assert decoded_frames == {2, 3}


def test_limit_takes_decoder_threads_then_look_ahead_then_encoder_threads(
    job: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cores(monkeypatch, 16)

    def plan(limit_bytes: int) -> CodecPlan:
        return plan_codecs(with_options(job, memory_limit_bytes=limit_bytes))

    plans = [plan(limit * MB) for limit in range(300, 1600, 5)]

    assert plans[-1] == CodecPlan(3, 10)
    assert plans[0] == CodecPlan(1, 1, 0)
    for less, more in itertools.pairwise(plans):
        assert less.decoder_threads <= more.decoder_threads
        assert (less.encoder_threads or 0) <= (more.encoder_threads or 0)
        if more.look_ahead_frames is not None:
            assert less.look_ahead_frames is not None
            assert less.look_ahead_frames <= more.look_ahead_frames
            assert more.decoder_threads == 1


@pytest.mark.parametrize("path", ["cpu", "gpu", "floor"])
def test_smallest_limit_is_named_and_works(path: str, job: ExportJob) -> None:
    asked = with_options(job, memory_limit_bytes=50 * MB)
    with pytest.raises(InputError, match="of memory is too little") as caught:
        plan_export(asked, path)
    needed = re.search(r"pass --memory-limit (\d+)M or more", str(caught.value))
    assert needed is not None
    smallest_bytes = int(needed[1]) * MB

    plan = plan_export(with_options(job, memory_limit_bytes=smallest_bytes), path)

    others_bytes = sum(estimated_bytes(with_options(job, memory_limit_bytes=smallest_bytes), path).values())
    assert plan.owned_bytes + others_bytes <= smallest_bytes
    with pytest.raises(InputError):
        plan_export(with_options(job, memory_limit_bytes=smallest_bytes - 2 * MB), path)


@pytest.mark.parametrize("name", ["decoder_threads", "encoder_threads"])
@pytest.mark.parametrize("threads", [0, -1, 65, 10**9])
def test_threads_out_of_range_are_refused(name: str, threads: int, job: ExportJob) -> None:
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} must be between 1 and 64, got {threads}"):
        prepare(job.source.path, job.output, replace(job.options, **{name: threads}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memory_bytes", "gif", "frames"), [(17 * 10**9, False, 32), (16 * 10**9, False, 16), (64 * 10**9, True, 16)]
)
def test_channel_frames_follow_the_memory(memory_bytes: int, gif: bool, frames: int) -> None:
    assert channel_frames(memory_bytes, gif=gif) == frames
