"""Captions found by what lies over a recording, and the times at which they come and go."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.quality.effects.asked_path import asked_placement
from capbench.quality.effects.caption_times import CaptionMeter
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.placing.warped_pictures import coverage, onto_canvas
from capbench.quality.reading.planes import Planes
from capbench.recordings.spec import RecordingSpec
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_layers import ExpectedCaption
from capbench.results.appearance.expected_look import ExpectedLook
from tests.effect_clips import recorded

_SIZE = (640, 360)
_CAPTION = ExpectedCaption(start_s=0.5, end_s=1.5, position=(0.5, 0.85))
_ASKED = ExpectedLook(padding=0.05, caption=(_CAPTION,))
_NONE = ExpectedLook(padding=0.05)


@cache
def _screen(padding: float = 0.05) -> tuple[Planes, NDArray[np.uint8]]:
    """A recording, and the luma of an output that shows it on grey."""
    recording = recorded(RecordingSpec("captions", *_SIZE, 30, 1.0), 0)
    place = asked_placement(ExpectedLook(padding=padding), _SIZE, _SIZE, 0.0)
    assert place is not None
    return recording, np.where(coverage(place, _SIZE), onto_canvas(recording, place, _SIZE).luma, 90).astype(np.uint8)


def _found(
    look: ExpectedLook, shown: range, *, top: int = 292, left: int = 220, size: tuple[int, int] = (200, 28)
) -> EffectFinding:
    """What is found of a plate with text that is shown in those frames of 60."""
    assert isinstance(look.padding, float)
    recording, plain = _screen(look.padding)
    place = asked_placement(look, _SIZE, _SIZE, 0.0)
    meter = CaptionMeter(EffectContext(look, _SIZE, _SIZE, ColourSpec(), Fraction(30), 60))
    chroma = np.full((_SIZE[1] // 2, _SIZE[0] // 2), 128, np.uint8)
    for number in range(60):
        luma = plain.copy()
        if number in shown:
            plate = luma[top : top + size[1], left : left + size[0]]
            plate[...] = plate * 0.4
            plate[8:-8, 10:-10:7] = 235
        meter.add(PlacedFrame(number, number / 30, Planes(luma, chroma, chroma), place, recording))
    (finding,) = meter.finish()
    return finding


def test_a_caption_that_was_asked_for_passes_with_its_times() -> None:
    finding = _found(_ASKED, range(15, 45))

    assert finding.outcome == "pass"
    measured = {parameter.name: parameter.measured for parameter in finding.parameters}
    assert measured["caption[0].lag_in_frames"] == pytest.approx(0, abs=0.3)
    assert measured["caption[0].lag_out_frames"] == pytest.approx(0, abs=0.3)
    assert measured["caption[0].down"] == pytest.approx(0.85, abs=0.03)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (range(0), "caption 1 is missing"),
        (range(18, 45), "appears 3.0 frames late"),
        (range(12, 45), "appears 3.0 frames early"),
        (range(15, 48), "goes 3.0 frames late"),
    ],
)
def test_a_caption_that_is_missing_late_or_early_fails(shown: range, words: str) -> None:
    finding = _found(_ASKED, shown)

    assert finding.outcome == "fail"
    assert words in finding.message


def test_one_frame_is_the_exporters_choice() -> None:
    assert _found(_ASKED, range(16, 46)).outcome == "pass"


def test_a_caption_elsewhere_fails() -> None:
    assert _found(_ASKED, range(15, 45), top=120).outcome == "fail"


def test_a_caption_that_was_not_asked_for_fails_and_is_open_where_any_will_do() -> None:
    assert _found(_NONE, range(0)).outcome == "pass"
    assert _found(_NONE, range(15, 45)).outcome == "fail"
    assert _found(_NONE.model_copy(update={"caption": "any"}), range(15, 45)).outcome == "pass"


@pytest.mark.parametrize(("codes", "outcome"), [(120, "fail"), (13, "pass")])
def test_words_without_a_plate_are_a_text_and_what_coding_leaves_is_none(codes: int, outcome: str) -> None:
    recording, plain = _screen()
    place = asked_placement(_NONE, _SIZE, _SIZE, 0.0)
    meter = CaptionMeter(EffectContext(_NONE, _SIZE, _SIZE, ColourSpec(), Fraction(30), 60))
    chroma = np.full((_SIZE[1] // 2, _SIZE[0] // 2), 128, np.uint8)
    for number in range(60):
        luma = plain.astype(int)
        if number in range(15, 45):
            for left in range(200, 420, 48):  # words, and a gap of a third of each
                word = luma[288:312, left : left + 32]
                word += np.where(word < 128, codes, -codes)
        shown = luma.clip(0, 255).astype(np.uint8)
        meter.add(PlacedFrame(number, number / 30, Planes(shown, chroma, chroma), place, recording))
    (finding,) = meter.finish()

    assert finding.outcome == outcome


@pytest.mark.parametrize("top", [292, 10], ids=["over the recording", "beside it"])
def test_a_caption_that_leaves_few_frames_without_it_is_not_its_own_background(top: int) -> None:
    most = ExpectedCaption(start_s=0.05, end_s=1.95, position=(0.5, (top + 14) / 360))
    look = ExpectedLook(padding=0.15, caption=(most,))

    assert _found(look, range(2, 59), top=top).outcome == "pass"
    assert _found(look, range(0), top=top).outcome == "fail"


def test_a_caption_beside_the_recording_that_is_asked_for_throughout_cannot_be_told() -> None:
    look = ExpectedLook(padding=0.15, caption=(ExpectedCaption(position=(0.5, 24 / 360)),))

    assert _found(look, range(60), top=10).outcome == "pass"
    assert "cannot be told" in _found(look, range(60), top=10).message


def test_a_camera_that_comes_and_goes_is_no_caption() -> None:
    assert _found(_NONE, range(15, 45), top=200, left=460, size=(120, 120)).outcome == "pass"


def test_a_caption_after_the_end_of_the_clip_is_not_missed() -> None:
    later = _NONE.model_copy(update={"caption": (ExpectedCaption(start_s=5.0, end_s=6.0),)})

    assert _found(later, range(0)).outcome == "pass"


def test_a_clip_without_the_recording_is_not_judged() -> None:
    meter = CaptionMeter(EffectContext(_ASKED, _SIZE, _SIZE, ColourSpec(), Fraction(30), 3))
    for number in range(3):
        meter.add(PlacedFrame(number, number / 30, _screen()[0], None, None))

    assert [finding.outcome for finding in meter.finish()] == ["unchecked"]
