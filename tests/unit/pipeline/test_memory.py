"""An export stays inside its memory: the plan adds up, and limits of control groups count."""

from __future__ import annotations

import pytest

from capbench.errors import InputError
from capbench.pipeline.threads.memory_budget import (
    DEFAULT_BUDGET_BYTES,
    channel_frames,
    plan_memory,
)

NV12_4K = 3840 * 2160 * 3 // 2
MB = 10**6


@pytest.mark.parametrize("budget_bytes", [100 * MB, DEFAULT_BUDGET_BYTES, 400 * MB, 10**10])
@pytest.mark.parametrize("reserved_bytes", [0, 2 * MB])
def test_plan_stays_inside_its_budget(budget_bytes: int, reserved_bytes: int) -> None:
    plan = plan_memory(
        decoded_bytes=NV12_4K,
        upload_bytes=NV12_4K,
        staging_bytes=2 * NV12_4K,
        picture_bytes=NV12_4K,
        budget_bytes=budget_bytes,
        max_frames=32,
        reserved_bytes=reserved_bytes,
    )

    in_hand = 1
    frames = in_hand + plan.decoded_frames + plan.upload_slots + 2 * plan.staging_slots + plan.pictures
    assert plan.owned_bytes == frames * NV12_4K + reserved_bytes
    assert plan.owned_bytes <= budget_bytes
    assert plan.staging_slots <= 4
    assert max(plan.pictures, plan.decoded_frames) <= 32


def test_default_holds_4k_in_150_mb_with_two_pictures_in_flight() -> None:
    plan = plan_memory(
        decoded_bytes=NV12_4K, upload_bytes=NV12_4K, staging_bytes=2 * NV12_4K, picture_bytes=NV12_4K, max_frames=32
    )

    assert plan.owned_bytes <= 150 * MB
    assert plan.staging_slots == 2


def test_more_memory_never_means_less_room() -> None:
    plans = [
        plan_memory(
            decoded_bytes=MB,
            upload_bytes=MB,
            staging_bytes=MB,
            picture_bytes=MB,
            budget_bytes=budget * MB,
            max_frames=32,
        )
        for budget in range(7, 80)
    ]

    owned = [plan.owned_bytes for plan in plans]
    assert owned == sorted(owned)


def test_default_grows_to_the_least_where_that_is_more() -> None:
    """RGBA at 4K; a limit that was asked for does not grow, nor does memory that is not there."""
    rgba = 3840 * 2160 * 4
    sizes = {"decoded_bytes": NV12_4K, "upload_bytes": NV12_4K, "staging_bytes": rgba, "picture_bytes": rgba + NV12_4K}

    plan = plan_memory(**sizes, max_frames=32)

    assert plan.owned_bytes == 3 * rgba + 5 * NV12_4K > DEFAULT_BUDGET_BYTES
    assert (plan.staging_slots, plan.pictures) == (1, 2)
    for limit in ({"budget_bytes": 100 * MB}, {"ceiling_bytes": 100 * MB}):
        with pytest.raises(InputError, match="100 MB of memory is too little"):
            plan_memory(**sizes, **limit, max_frames=32)


def test_too_small_a_limit_says_what_is_needed() -> None:
    with pytest.raises(InputError, match=r"20\.0 MB of memory is too little: .* needs 74\.6 MB; raise --memory-limit"):
        plan_memory(
            decoded_bytes=NV12_4K,
            upload_bytes=NV12_4K,
            staging_bytes=NV12_4K,
            picture_bytes=NV12_4K,
            budget_bytes=20 * MB,
            max_frames=16,
        )


@pytest.mark.parametrize(
    ("memory_bytes", "gif", "frames"), [(17 * 10**9, False, 32), (16 * 10**9, False, 16), (64 * 10**9, True, 16)]
)
def test_channel_frames_follow_the_memory(memory_bytes: int, gif: bool, frames: int) -> None:
    assert channel_frames(memory_bytes, gif=gif) == frames
