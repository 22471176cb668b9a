"""Decodes a recording and an output of it side by side, once: marks through the placement, and all meters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.asked_path import placement_asked_of
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.mark_reading import is_cropped, read_marks, with_marks
from capbench.quality.effects.measure_effects import EffectMeasurements, EffectWalk
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.placement_tracker import PlacementTracker
from capbench.quality.effects.placing.warped_pictures import rectified
from capbench.quality.metrics.pairs.colour_samples import measure_patches
from capbench.quality.reading.alignment import Aligner, window_frames
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture, observe
from capbench.quality.reading.opened_clip import OpenedClip, open_clip
from capbench.quality.reading.planes import Planes, planes_of
from capbench.quality.reading.prefetch import LookAhead
from capbench.recordings.layout import PATCH_CHART, PATCHES, LayoutRectangle
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.units import even_length

__all__ = ["InspectedOutput", "inspect_output", "measure_effects"]

_MOST_PATCH_LOOKS: Final = 12
"""Frames whose colour patches are read: their median does not move with more."""


@dataclass(frozen=True, slots=True, eq=False)
class InspectedOutput:
    """All that was seen of an output of a look of its own."""

    records: tuple[FrameRecord, ...]
    """Its frames, with what their marks say."""
    matches: tuple[int | None, ...]
    """For each of them the frame of the recording that it shows."""
    effects: EffectMeasurements
    """What the meters found, and where the recording lies."""
    patches: NDArray[np.float64] | None
    """Colour patches in the order of `PATCHES`: recording Y, Cb, Cr and output Y, Cb, Cr in codes; None where none
    could be read."""
    patch_area_px: float | None
    """Output pixels of the smallest of them."""


def measure_effects(recording: Path, output: Path, look: ExpectedLook) -> EffectMeasurements:
    """Measure every effect of an output of a recording. Raises `SourceError` where one of them cannot be opened."""
    with ExitStack() as held:
        return inspect_output(open_clip(recording), open_clip(output), look, held)[0].effects


def inspect_output(
    want: OpenedClip,
    got: OpenedClip,
    look: ExpectedLook,
    held: ExitStack,
    *,
    on_frame: Callable[[int], None] | None = None,
) -> tuple[InspectedOutput, Aligner]:
    """Read both clips to their ends; `held` ends the threads. The aligner has the recording's records.

    `on_frame` is called with the number of output frames read so far.
    """
    square = want.facts.sample_aspect == 1
    size = None if square else (even_length(want.size[0]), even_length(want.size[1]))
    of_recording = Normaliser(want.spec, got.spec, size, want.clip.turn, crop=False)
    even = (even_length(got.size[0]), even_length(got.size[1]))
    stretched = None if got.facts.sample_aspect == 1 else even
    of_output = Normaliser(got.spec, got.spec, stretched, got.clip.turn, crop=False)
    wanted = observe(want.frames, of_recording, frame_s=want.frame_s)
    aligner = Aligner(
        held.enter_context(closing(LookAhead(wanted))),
        window_frames(even_length(want.size[0]), even_length(want.size[1])),
        can_compare=False,
        by_order=not (want.has_time_stamps and got.has_time_stamps),
    )
    # Its marks are read when it is known where they lie.
    observed = observe(got.frames, of_output, recording=lambda _: None, frame_s=got.frame_s)
    pictures = held.enter_context(closing(LookAhead(observed)))
    seen: _Walked | None = None
    for picture in pictures:
        if seen is None:
            seen = _Walked(look, aligner, got, (picture.frame.width // 2 * 2, picture.frame.height // 2 * 2))
        seen.add(picture)
        if on_frame is not None:
            on_frame(len(seen.records))
    aligner.finish()
    assert seen is not None  # a clip that is open has a first frame
    return seen.finish(), aligner


class _Walked:
    """Fed every output frame; it changes."""

    def __init__(self, look: ExpectedLook, aligner: Aligner, got: OpenedClip, canvas: tuple[int, int]) -> None:
        self.records: list[FrameRecord] = []
        self._look, self._aligner, self._got, self._canvas = look, aligner, got, canvas
        self._matches: list[int | None] = []
        self._patches = _PatchLooks(got.facts.expected_frames)
        self._tracker: PlacementTracker | None = None
        self._walk: EffectWalk | None = None

    def add(self, picture: ObservedPicture) -> None:
        """The next output frame."""
        planes = planes_of(picture.frame)
        start_s = self.records[0].time_s if self.records else picture.record.time_s
        time_s = float(picture.record.time_s - start_s)
        due = self._aligner.promised(picture)
        placement = None if due is None else self._place(planes, due, time_s)
        if self._aligner.marked:
            marks = read_marks(planes.luma, placement, self._look.crop)
            picture = replace(picture, record=with_marks(picture.record, marks))
        match = self._aligner.match(picture)
        self.records.append(picture.record)
        self._matches.append(match.index)
        source = None if match.picture is None else planes_of(match.picture.frame)
        if self._aligner.marked and picture.record.number is not None and placement is not None and source is not None:
            self._patches.add(planes, source, placement, self._look.crop)
        frame = PlacedFrame(picture.record.index, time_s, planes, placement, source)
        self._opened(due or match.picture).add(frame)

    def finish(self) -> InspectedOutput:
        """What was seen."""
        return InspectedOutput(
            records=tuple(self.records),
            matches=tuple(self._matches),
            effects=self._opened(None).finish(),
            patches=self._patches.median(),
            patch_area_px=self._patches.smallest_px,
        )

    def _place(self, planes: Planes, due: ObservedPicture, time_s: float) -> FramePlacement | None:
        recording = planes_of(due.frame).luma
        if self._tracker is None:
            size = recording.shape[1], recording.shape[0]
            asked = placement_asked_of(self._look, size, self._canvas)
            self._tracker = PlacementTracker(self._canvas, size, asked)
        return self._tracker.place(planes.luma, recording, time_s, recording_key=due.record.index)

    def _opened(self, due: ObservedPicture | None) -> EffectWalk:
        if self._walk is None:
            recording = self._canvas if due is None else (due.frame.width // 2 * 2, due.frame.height // 2 * 2)
            self._walk = EffectWalk.opened(
                EffectContext(
                    look=self._look,
                    canvas=self._canvas,
                    recording=recording,
                    spec=self._got.spec,
                    frame_rate=self._got.facts.frame_rate or Fraction(30),
                    expected_frames=self._got.facts.expected_frames,
                )
            )
        return self._walk


class _PatchLooks:
    """Colour patches of a few frames, spread over the clip. It changes."""

    def __init__(self, expected_frames: int) -> None:
        self._every = max(1, expected_frames // _MOST_PATCH_LOOKS)
        self._seen = 0
        self._rows: list[NDArray[np.float64]] = []
        self.smallest_px: float | None = None

    def add(
        self,
        planes: Planes,
        source: Planes,
        placement: FramePlacement,
        crop: tuple[float, float, float, float],
    ) -> None:
        canvas = planes.luma.shape[1], planes.luma.shape[0]
        if is_cropped(PATCH_CHART, crop) or not placement.shows(PATCH_CHART, canvas):
            return
        self._seen += 1
        if (self._seen - 1) % self._every or len(self._rows) >= _MOST_PATCH_LOOKS:
            return
        whole = LayoutRectangle(0, 0, *placement.recording_size)
        self._rows.append(measure_patches(rectified(planes, placement), source, whole))
        areas = [patch.sample.within(placement.rectangle()) for patch in PATCHES]
        smallest = min(area.width * area.height for area in areas)
        self.smallest_px = smallest if self.smallest_px is None else min(self.smallest_px, smallest)

    def median(self) -> NDArray[np.float64] | None:
        return np.median(np.stack(self._rows), axis=0) if self._rows else None
