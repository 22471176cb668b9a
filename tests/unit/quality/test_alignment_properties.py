"""What matching frames promises for any order of frames, of any clip: checked on clips that hypothesis makes up."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capbench.quality.reading.alignment import Aligner
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture

FRAMES = 40
WINDOW = 16
REACH = 6
FRAME_S = Fraction(1, 30)
_PICTURES = np.random.default_rng(7).uniform(20, 220, (FRAMES, 6, 8, 3)).astype(np.float32)
"""As unlike each other as pictures can be."""
_FRAME = av.VideoFrame(640, 360, "yuv420p")


def clip(
    shown: list[int], *, numbered: bool, times: list[Fraction] | None = None, noise: float = 0.0
) -> list[ObservedPicture]:
    random = np.random.default_rng(1)
    pictures = []
    for index, content in enumerate(shown):
        thumb = _PICTURES[content] + random.normal(0, noise, _PICTURES[content].shape).astype(np.float32)
        record = FrameRecord(
            index=index,
            time_s=index * FRAME_S if times is None else times[index],
            number=content if numbered else None,
            number_visible=numbered,
            mean_codes=(100.0, 128.0, 128.0),
            spread_codes=50.0,
            moved_codes=10.0,
            flash=None,
        )
        pictures.append(ObservedPicture(record, _FRAME, thumb))
    return pictures


def matched(output: list[ObservedPicture], *, numbered: bool, window: int = WINDOW) -> tuple[list[int | None], Aligner]:
    aligner = Aligner(iter(clip(list(range(FRAMES)), numbered=numbered)), window)
    found = [aligner.match(picture).index for picture in output]
    aligner.finish()
    return found, aligner


orders = st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=60)
near = st.lists(st.integers(-2, 3), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(orders)
def test_numbers_are_believed_in_any_order(shown: list[int]) -> None:
    found, aligner = matched(clip(shown, numbered=True), numbered=True)

    assert found == shown
    assert [record.index for record in aligner.records] == list(range(FRAMES))


@settings(deadline=None, max_examples=60)
@given(near, st.floats(0, 0.5))
def test_content_is_followed_through_small_steps(steps: list[int], noise: float) -> None:
    """Frames lost, repeated and exchanged, never farther from their place than the window reaches, under noise."""
    shown, at = [], 0
    for index, step in enumerate(steps):
        at = min(max(at + step, index - REACH, 0), index + REACH, FRAMES - 1)
        shown.append(at)

    found, _ = matched(clip(shown, numbered=False, noise=noise), numbered=False)

    assert found == shown


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), min_size=FRAMES, max_size=FRAMES), st.integers(0, 10**9))
def test_a_lost_frame_is_no_other_and_a_shift_of_all_times_nothing(kept: list[bool], start_ticks: int) -> None:
    shown = [index for index, keep in enumerate(kept) if keep or index % 5 == 0]
    times = [index * FRAME_S + Fraction(start_ticks, 90_000) for index in shown]

    found, aligner = matched(clip(shown, numbered=False, times=times), numbered=False)

    assert found == shown
    assert aligner.ends_alike is (shown[-1] == FRAMES - 1)


@settings(deadline=None, max_examples=60)
@given(orders, st.integers(6, 24))
def test_whatever_is_shown_memory_is_a_window_and_a_match_is_a_frame(shown: list[int], window: int) -> None:
    aligner = Aligner(iter(clip(list(range(FRAMES)), numbered=False)), window)

    for picture in clip(shown, numbered=False):
        match = aligner.match(picture)

        assert match.index is not None
        assert 0 <= match.index < FRAMES
        assert match.picture is None or match.picture.record.index == match.index
        assert len(aligner.records) <= FRAMES


@settings(deadline=None, max_examples=30)
@given(st.lists(st.booleans(), min_size=FRAMES, max_size=FRAMES))
def test_without_times_frames_are_matched_by_their_order_and_content(kept: list[bool]) -> None:
    shown = [index for index, keep in enumerate(kept) if keep or index % 4 == 0]
    aligner = Aligner(iter(clip(list(range(FRAMES)), numbered=False)), WINDOW, by_order=True)
    silent = [Fraction(0)] * len(shown)

    assert [aligner.match(picture).index for picture in clip(shown, numbered=False, times=silent)] == shown
