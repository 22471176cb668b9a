"""The frames of a case for the viewer: reference and every subject beside each other, and kept outputs as videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from capbench.gate.judged_metrics import quality_unit
from capbench.report.aggregate import Cell
from capbench.report.page.frame_crops import (
    Crop,
    PictureStore,
    encode_lossless,
    encode_map,
    open_picture,
    place_crop,
)
from capbench.report.report_folder import ReportFolder, RunFile, relative_url
from capbench.report.wording import metric_words, number_words, shorten
from capbench.results import SavedFrame, ValidationReport
from capbench.results.subject_name import is_floor

__all__ = ["MOST_FRAMES", "FrameViewer", "ViewerFrame", "ViewerVideo", "arrange_viewer"]

MOST_FRAMES = 12
"""Frames of a case: at 9 pictures of 100 kB each they stay within 11 MB."""
MOST_SUBJECTS = 9
"""Subjects beside the reference: one for each digit of the keyboard."""
_MOMENTS = ("first", "last", "second")
"""Reasons that name a moment; every other one is a metric."""
_THREADS = 4
"""Decoding a picture of 4K takes a quarter of a second, during which Pillow lets other threads run."""
_PLAYABLE = (".mp4", ".m4v", ".webm", ".mov")
"""Files that browsers open as video."""


@dataclass(frozen=True, slots=True)
class ViewerFrame:
    """One frame: the same crop of the reference and of every subject."""

    frame: int
    """Index in the reference, counted from 0."""
    moment: str
    """When it is shown, in words; empty where unknown."""
    reasons: tuple[str, ...]
    """Why it is here."""
    urls: tuple[str | None, ...]
    """A picture for each name of the viewer; None where the subject has none of this frame."""
    map_uri: str
    """The whole reference frame, small."""
    frame_size: tuple[int, int]
    """Width and height of the whole frame in pixels."""
    crop: Crop
    """Left, top, width and height of the crop in pixels of the frame."""

    @property
    def note(self) -> str:
        """What the crop is."""
        left, top, width, height = self.crop
        if (width, height) == self.frame_size:
            return "the whole frame"
        return f"{width} x {height} pixels at ({left}, {top}) of {self.frame_size[0]} x {self.frame_size[1]}"


@dataclass(frozen=True, slots=True)
class ViewerVideo:
    """An output that was kept."""

    subject: str
    """Name of the subject."""
    url: str
    """Relative URL."""
    frames: int
    """Pictures in it."""
    rate: float
    """Pictures a second."""


@dataclass(frozen=True, slots=True)
class FrameViewer:
    """What the viewer of one case has to show."""

    names: tuple[str, ...]
    """`reference`, then the subjects in the order of the digits that call them."""
    frames: tuple[ViewerFrame, ...]
    """Frames in the order of time; empty where none can be shown."""
    opening: int
    """Position of the frame to begin with: the worst one."""
    videos: tuple[ViewerVideo, ...]
    """Outputs to play in step, two or more, or none."""
    notes: tuple[str, ...]
    """What is not shown, and why."""


@dataclass(slots=True)
class _Wanted:
    """A frame as the runs of its case name it. Gathers while they are read."""

    moment_s: float | None = None
    reference_png: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    lowest: float | None = None
    """The lowest luma PSNR among those that name it as the worst, in dB."""

    @property
    def rank(self) -> int:
        """Worst frames before the ends, those before any other moment."""
        if any(reason not in _MOMENTS for reason in self.reasons):
            return 0
        return 1 if "first" in self.reasons or "last" in self.reasons else 2


def arrange_viewer(
    folder: ReportFolder,
    cells: Mapping[str, Cell],
    page_folder: Path | None,
    store: PictureStore,
    *,
    name: str,
) -> FrameViewer:
    """The frames that the runs of a case saved, at most `MOST_FRAMES`, their pictures put into the store.

    `name` begins the names of picture files. A folder of an older capbench has only the worst frames of each subject.
    """
    store.begin_case()
    runs = {subject: run for subject, cell in cells.items() if not is_floor(subject) and (run := _run_of(cell))}
    subjects = tuple(runs)[:MOST_SUBJECTS]
    notes = [f"{shorten(subject)} is not shown: the viewer has room for 9" for subject in tuple(runs)[MOST_SUBJECTS:]]
    wanted = _gather({subject: runs[subject] for subject in subjects})
    chosen = sorted(sorted(wanted, key=lambda frame: (wanted[frame].rank, _lowest(wanted[frame]), frame))[:MOST_FRAMES])
    frames, left_out = [], 0
    for frame in chosen:
        shown = _show(folder.path, frame, wanted[frame], subjects, store, name=f"{name}-f{frame}")
        if isinstance(shown, ViewerFrame):
            frames.append(shown)
        elif shown is None:
            left_out += 1
        else:
            notes.append(shown)
    if left_out:
        notes.append(f"{left_out} frames are left out: the page has reached its limit for pictures")
    worst = min(frames, key=lambda shown: (wanted[shown.frame].rank, _lowest(wanted[shown.frame])), default=None)
    return FrameViewer(
        names=("reference", *subjects),
        frames=tuple(frames),
        opening=frames.index(worst) if worst else 0,
        videos=_videos(folder, cells, page_folder),
        notes=tuple(notes),
    )


def _lowest(wanted: _Wanted) -> float:
    return float("inf") if wanted.lowest is None else wanted.lowest


def _run_of(cell: Cell) -> RunFile | None:
    """The run that has pictures: the worst one where it has, else the first."""
    worst = cell.worst_validated()
    return next((run for run in (worst, *cell.validated) if run is not None and _saved(run)), None)


def _saved(run: RunFile) -> tuple[SavedFrame, ...]:
    report = run.run.validation
    if report is None:
        return ()
    return report.saved_frames or tuple(
        SavedFrame(
            frame=worst.frame,
            reasons=(worst.metric,),
            reference_png=worst.reference_png,
            output_png=worst.output_png,
        )
        for worst in report.worst_frames
    )


def _gather(runs: Mapping[str, RunFile]) -> dict[int, _Wanted]:
    found: dict[int, _Wanted] = {}
    for subject, run in runs.items():
        report = run.run.validation
        assert report is not None, "only validated runs have pictures"
        for saved in _saved(run):
            wanted = found.setdefault(saved.frame, _Wanted())
            wanted.moment_s = saved.time_s if wanted.moment_s is None else wanted.moment_s
            wanted.reference_png = wanted.reference_png or saved.reference_png
            wanted.outputs[subject] = saved.output_png
            for reason in saved.reasons:
                wanted.reasons[reason if reason in _MOMENTS else _worst_words(reason, subject, report)] = None
                if reason == "psnr_y" and (value := _worst_value(report, reason)) is not None:
                    wanted.lowest = min(value, _lowest(wanted))
    return found


def _worst_value(report: ValidationReport, metric: str) -> float | None:
    summary = report.metrics.get(metric)
    return summary.worst if summary else None


def _worst_words(metric: str, subject: str, report: ValidationReport) -> str:
    """`lowest PSNR Y of gpu, 38.21 dB`."""
    value = _worst_value(report, metric)
    words = f"lowest {metric_words(metric)} of {shorten(subject, 24)}"
    unit, digits = quality_unit(metric)
    return words if value is None else f"{words}, {number_words(value, digits, unit)}"


def _show(
    folder: Path, frame: int, wanted: _Wanted, subjects: tuple[str, ...], store: PictureStore, *, name: str
) -> ViewerFrame | str | None:
    """One frame; the sentence that says why it cannot be shown; None where there is no room for it."""
    names = [wanted.reference_png, *(wanted.outputs[subject] for subject in subjects if subject in wanted.outputs)]
    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            pictures = list(threads.map(lambda png: open_picture(folder, png), names))
            if len({picture.size for picture in pictures}) > 1:
                return f"Frame {frame} cannot be shown: its pictures differ in size"
            crop = place_crop(pictures[0], pictures[1:])
            encoded = iter(list(threads.map(lambda picture: encode_lossless(picture, crop), pictures)))
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError for a damaged PNG
        return f"Frame {frame} cannot be shown: {error}"
    urls = store.place(
        name, [next(encoded), *(next(encoded) if subject in wanted.outputs else None for subject in subjects)]
    )
    if urls is None:
        return None
    return ViewerFrame(
        frame=frame,
        moment="" if wanted.moment_s is None else f"{wanted.moment_s:.2f} s",
        reasons=tuple(_reasons(wanted)),
        urls=urls,
        map_uri=encode_map(pictures[0]),
        frame_size=pictures[0].size,
        crop=crop,
    )


def _reasons(wanted: _Wanted) -> Iterator[str]:
    """The worst first; that a frame is one of those a second apart needs no saying."""
    yield from (reason for reason in wanted.reasons if reason not in _MOMENTS)
    yield from (f"{reason} frame" for reason in wanted.reasons if reason in ("first", "last"))


def _videos(folder: ReportFolder, cells: Mapping[str, Cell], page_folder: Path | None) -> tuple[ViewerVideo, ...]:
    """The kept output of one run of each subject; none where the page travels alone or fewer than two are there.

    A floor draws nothing, so there is nothing to see beside it.
    """
    if page_folder is None:
        return ()
    found = []
    for subject, cell in cells.items():
        for file in () if is_floor(subject) else cell.validated:
            report, run = file.run.validation, file.run
            output = folder.path / "outputs" / Path(report.output if report else "").name
            if output.suffix.lower() in _PLAYABLE and output.is_file() and run.frames and run.duration_s:
                rate = run.frames / run.duration_s
                found.append(ViewerVideo(subject, relative_url(output, page_folder), run.frames, rate))
                break
    return tuple(found) if len(found) > 1 else ()
