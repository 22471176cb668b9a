"""The same frames of several outputs as whole pictures, so that people can see them side by side."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from av.video.reformatter import VideoReformatter

from capbench.colour import ColourSpec
from capbench.quality.metrics.pairs.rgb_gamut import as_drawn
from capbench.quality.opened_pair import open_pair
from capbench.quality.reading.clip import read_facts
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.quality.worst_frames import FrameSaver
from capbench.results import SavedFrame

__all__ = ["LOWEST_OF", "MOST_FRAMES", "PicturedOutput", "save_same_frames", "with_reasons"]

LOWEST_OF = ("psnr_y", "xpsnr_y", "vmaf")
"""Metrics that have a value for every frame, so that the frame of their lowest one is worth seeing."""
MOST_FRAMES = 12
"""Of one output: what a person looks through. At 1080p that is some 40 MB of PNG."""
_MOST_LARGE_FRAMES = 8
"""The same at 4K, where one is 6 MB and takes a second to write."""
_LARGE_PICTURE_PX = 4 * 10**6
_ENDS = 2
"""The first frame and the last one."""
_LEAST_APART_S = 1.0


@dataclass(frozen=True, slots=True)
class PicturedOutput:
    """One output, and where pictures of it go."""

    output: Path
    """The file."""
    folder: Path
    """Folder for its pictures."""
    lowest_frames: Mapping[str, int]
    """`lowest_frames` of its report."""
    tone_map: str | None = None
    """How SDR was to be made of an HDR reference; None where it was not."""


def save_same_frames(reference: Path, outputs: Sequence[PicturedOutput]) -> tuple[tuple[SavedFrame, ...], ...]:
    """Save the same frames of every output: where a metric of any of them is lowest, first, last, and one a second.

    All are exports of `reference` in which nothing was drawn, and their folders lie beside each other. Which frames of
    time are taken follows from the first output; those of the reference are written once, by the first output that
    shows them. Returned names of pictures are relative to what the folders lie in, and a frame that an output does not
    show is missing from its own. Raises `SourceError` for a file that cannot be read, `OutputError`.
    """
    lowest = [each.lowest_frames for each in outputs]
    # Of each metric in turn, so that no output's own frame finds the room taken by another's second metric.
    worst = list(dict.fromkeys(found[metric] for metric in LOWEST_OF for found in lowest if metric in found))
    choice = _Choice.of(outputs[0].output, worst)
    references: dict[int, str] = {}
    saved_by_output = []
    for each in outputs:
        saver = FrameSaver(each.folder)
        _save_pairs(reference, each, saver, choice, references)
        choice.close()
        named = []
        for saved in saver.saved:
            shown = references.setdefault(saved.frame, f"{each.folder.name}/{saved.reference_png}")
            output_png = f"{each.folder.name}/{saved.output_png}"
            named.append(saved.model_copy(update={"reference_png": shown, "output_png": output_png}))
        saved_by_output.append(named)
    ends = (min(choice.frames), max(choice.frames)) if choice.frames else None
    return tuple(with_reasons(saved, own, ends=ends) for saved, own in zip(saved_by_output, lowest, strict=True))


def with_reasons(
    saved: Sequence[SavedFrame], lowest: Mapping[str, int], *, ends: tuple[int, int] | None = None
) -> tuple[SavedFrame, ...]:
    """The same frames in order, each with why it was saved: metrics that are lowest there, an end, or its second.

    `ends` are the first and the last frame of those that several outputs save; None for the ends of these.
    """
    frames = sorted(saved, key=lambda each: each.frame)
    first, last = ends or ((frames[0].frame, frames[-1].frame) if frames else (0, 0))
    found = []
    for each in frames:
        reasons = [metric for metric, frame in lowest.items() if frame == each.frame]
        reasons += [name for name, frame in (("first", first), ("last", last)) if frame == each.frame]
        found.append(each.model_copy(update={"reasons": tuple(reasons) or ("second",)}))
    return tuple(found)


@dataclass(slots=True)
class _Choice:
    """Which frames are taken. It changes: the first output adds frames of time until it is closed."""

    frames: set[int]
    """Frames of the reference."""
    apart_s: float
    left: int
    """Frames of time that may still be added."""
    next_s: float = field(default=0.0)
    is_open: bool = field(default=True)

    @classmethod
    def of(cls, first: Path, worst: Sequence[int]) -> _Choice:
        facts = read_facts(first)
        most = MOST_FRAMES if facts.width * facts.height < _LARGE_PICTURE_PX else _MOST_LARGE_FRAMES
        kept = worst[: most - _ENDS]
        left = most - len(kept) - 1  # the last frame has its place
        length_s = float(facts.duration_s or 0)
        return cls(set(kept), max(_LEAST_APART_S, length_s / max(left, 1)), left)

    def takes(self, frame: int, time_s: float) -> bool:
        if frame in self.frames:
            return True
        if not self.is_open or time_s < self.next_s or self.left <= 0:
            return False
        self.next_s += self.apart_s
        self.left -= 1
        self.frames.add(frame)
        return True

    def close(self) -> None:
        self.is_open = False


def _save_pairs(
    reference: Path, pictured: PicturedOutput, saver: FrameSaver, choice: _Choice, references: Mapping[int, str]
) -> None:
    start_s = None
    with closing(_matched_pairs(reference, pictured.output, tone_map=pictured.tone_map)) as pairs:
        last = None
        for spec, got, want in pairs:
            start_s = want.record.time_s if start_s is None else start_s
            frame, time_s = want.record.index, float(want.record.time_s - start_s)
            last = spec, got, want, time_s
            if choice.takes(frame, time_s):
                saver.save(spec, got, want, time_s=time_s, reference_png=references.get(frame))
            if not choice.is_open and len(saver.saved) == len(choice.frames):
                return
        if last is not None and choice.is_open:
            spec, got, want, time_s = last
            choice.frames.add(want.record.index)
            saver.save(spec, got, want, time_s=time_s, reference_png=references.get(want.record.index))


def _matched_pairs(
    reference: Path, output: Path, *, tone_map: str | None = None
) -> Generator[tuple[ColourSpec, ObservedPicture, ObservedPicture]]:
    """Each output frame and the reference frame that it shows, in the output's colour and size, one pair at a time.

    Frames without a counterpart are left out; nothing comes where pictures of such sizes cannot be compared.
    `tone_map` is how SDR was to be made of an HDR reference. Raises `SourceError` as `inspect_files` does.
    """
    with ExitStack() as held:
        pair = open_pair(reference, output, tone_map, None, held, in_8_bits=True)
        scaler = VideoReformatter()
        for picture in pair.pictures if pair.side.incomparable is None else ():
            match = pair.aligner.match(picture)
            if match.picture is not None:
                yield pair.got.spec, picture, as_drawn(match.picture, picture, pair.got.spec, scaler)
