"""Stands in for the meter of a whole file: hands pairs out in parts as they are matched, and joins what comes back."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Protocol

from capbench.errors import CapbenchError, PartError
from capbench.quality.measurements import PictureMeasurements
from capbench.quality.metrics.frame_pairs import KEPT_PAIRS, KeptPair
from capbench.quality.metrics.pairs.pair_records import WorstPair, pooled
from capbench.quality.opened_pair import ClipPair, PictureChoice, hdr_of_both
from capbench.quality.parts.find_frames import FrameStamp
from capbench.quality.parts.measure_part import keep_pairs
from capbench.quality.parts.part_plan import NEIGHBOURS, PairedFrame, PartPlan
from capbench.quality.parts.records_json import PartAnswer, records_from_json
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.recordings.layout import LayoutRectangle

__all__ = ["FEWEST_FRAMES", "MOST_FRAMES", "PairMeter", "PartRunner", "PartedMeter"]

FEWEST_FRAMES = 60
"""Of a part: opening two files, seeking and the neighbours take as long as measuring some twenty pairs."""
MOST_FRAMES = 10_000
"""Of a part, by the reference: a message of some 7 MB, and an answer of as many."""


class PairMeter(Protocol):
    """Is fed the output's frames in order."""

    @property
    def worst_pairs(self) -> list[KeptPair]:
        """Pairs of the lowest luma PSNR, worst first, where they were to be kept; after `finish`."""

    def skip(self) -> None:
        """An output frame that has no counterpart."""

    def add(self, got: ObservedPicture, want: ObservedPicture, patches: LayoutRectangle | None) -> None:
        """The next output frame and the reference frame that it shows."""

    def finish(self) -> PictureMeasurements:
        """All that was found."""

    def close(self) -> None:
        """Release what is held."""


class PartRunner(Protocol):
    """Has parts measured somewhere: in processes of this machine, or on others. It knows the two files."""

    parts: int
    """How many parts are wanted."""
    threads: int | None
    """Most threads of libvmaf in each part; None for what the machine has."""

    def submit(self, plan: str) -> Future[str]:
        """Begin to measure a part: JSON of a `PartPlan`, and later of its `PairRecords`."""


@dataclass(slots=True)
class _Growing:
    """The part that frames are added to."""

    first_frame: int
    first_pair: int
    before: tuple[PairedFrame, ...]
    frames: list[PairedFrame] = field(default_factory=list)


class PartedMeter:
    """Cuts at frames of the reference. It changes: parts go out while frames come in."""

    def __init__(self, clips: ClipPair, choice: PictureChoice, runner: PartRunner) -> None:
        """For two comparable files, whose pictures are observed with digests."""
        self._clips = clips
        self._choice = choice
        self._runner = runner
        expected = clips.want.facts.expected_frames
        self._part_frames = min(MOST_FRAMES, max(FEWEST_FRAMES, -(-expected // max(1, runner.parts))))
        self._next_cut = self._part_frames
        self._marked = False
        self._frames, self._pairs = 0, 0
        self._last_pairs: deque[PairedFrame] = deque(maxlen=NEIGHBOURS)
        self._growing = _Growing(0, 0, ())
        self._waiting: _Growing | None = None
        """The part before, while the pairs behind it are not all known."""
        self._behind: list[PairedFrame] = []
        self._asked: list[Future[str]] = []
        self._worst: list[tuple[WorstPair, PairedFrame]] = []

    @property
    def worst_pairs(self) -> list[KeptPair]:
        """Pairs of the lowest luma PSNR, worst first, decoded once more; empty unless they were to be kept."""
        hdr = hdr_of_both(self._clips.want, self._clips.got)
        if not self._choice.keep_worst and not self._choice.of_worst(hdr):
            return []
        return keep_pairs(self._clips, self._worst)

    def skip(self) -> None:
        """An output frame that has no counterpart."""
        self._growing.frames.append(PairedFrame(None, None))
        self._frames += 1

    def add(self, got: ObservedPicture, want: ObservedPicture, patches: LayoutRectangle | None) -> None:
        """The next output frame and the reference frame that it shows."""
        self._marked = patches is not None
        pair = PairedFrame(_stamp(got), _stamp(want))
        # Of a part with fewer pairs the one before would not know its neighbours.
        has_neighbours = self._pairs - self._growing.first_pair >= NEIGHBOURS
        if has_neighbours and (want.record.index >= self._next_cut or len(self._growing.frames) >= MOST_FRAMES):
            self._cut()
            self._next_cut = want.record.index // self._part_frames * self._part_frames + self._part_frames
        if self._waiting is not None:
            self._behind.append(pair)
            if len(self._behind) == NEIGHBOURS:
                self._hand_out()
        self._growing.frames.append(pair)
        self._last_pairs.append(pair)
        self._frames += 1
        self._pairs += 1

    def finish(self) -> PictureMeasurements:
        """Wait for all parts. Raises `PartError` where one could not be measured, or not as one piece would be."""
        self._hand_out()
        self._cut()
        self._hand_out()
        answers = [self._answer(number, future) for number, future in enumerate(self._asked)]
        pairs = {frame: pair for answer in answers for frame, pair in answer.worst_frames.items()}
        worst = sorted(worst for answer in answers for worst in answer.records.worst)[:KEPT_PAIRS]
        self._worst = [(each, pairs[each.output_frame]) for each in worst]
        return pooled([answer.records for answer in answers])

    def close(self) -> None:
        """Cancel what has not begun."""
        for future in self._asked:
            future.cancel()

    def _cut(self) -> None:
        self._waiting = self._growing
        self._growing = _Growing(self._frames, self._pairs, tuple(self._last_pairs))

    def _hand_out(self) -> None:
        part, self._waiting = self._waiting, None
        behind, self._behind = tuple(self._behind), []
        if part is None:
            return
        plan = PartPlan(
            first_frame=part.first_frame,
            first_pair=part.first_pair,
            frames=tuple(part.frames),
            before=part.before,
            behind=behind,
            marked=self._marked,
            metrics=tuple(metric.name for metric in self._choice.metrics),
            rate=self._choice.rate,
            threads=self._runner.threads,
        )
        self._asked.append(self._runner.submit(plan.as_json()))

    def _answer(self, number: int, future: Future[str]) -> PartAnswer:
        try:
            return records_from_json(future.result())
        except (CapbenchError, CancelledError, OSError) as error:
            raise PartError(f"part {number + 1} of {len(self._asked)}: {error or type(error).__name__}") from error


def _stamp(picture: ObservedPicture) -> FrameStamp:
    if picture.digest is None:
        raise PartError("a picture was observed without its digest")
    return FrameStamp(picture.record.index, picture.pts, picture.digest)
