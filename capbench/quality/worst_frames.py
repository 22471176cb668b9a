"""The worst pairs of frames as PNG files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

from capbench.colour import ColourSpec
from capbench.errors import OutputError
from capbench.files import write_atomic
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.quality.reading.planes import as_frame, rgb_of
from capbench.results import SavedFrame, ValidationReport, WorstFrame

__all__ = ["DIFFERENCE_GAIN", "FrameSaver", "save_worst_frames", "write_frame_csv"]

DIFFERENCE_GAIN = 8
"""Amplification of the difference picture: an error of 4 codes becomes visible."""
_FAST = 1
"""zlib's level: pictures grow by a fifth, and noise of 4K is packed in a quarter of the time, 0.7 s instead of 3."""


def save_worst_frames(pairs: list[KeptPair], spec: ColourSpec, folder: Path) -> tuple[WorstFrame, ...]:
    """Write reference, output and amplified difference of each pair to `folder`. Raises `OutputError`."""
    saved = []
    scaler = VideoReformatter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            wanted, found = (rgb_of(as_frame(planes), spec, scaler) for planes in (pair.want, pair.got))
            difference = np.abs(wanted.astype(np.int16) - found) * DIFFERENCE_GAIN
            names = {
                kind: f"frame-{pair.reference_frame:06d}-{kind}.png" for kind in ("reference", "output", "difference")
            }
            for kind, picture in (("reference", wanted), ("output", found), ("difference", difference)):
                shown = picture.clip(0, 255).astype(np.uint8)
                Image.fromarray(shown).save(folder / names[kind], compress_level=_FAST)
            saved.append(
                WorstFrame(
                    frame=pair.reference_frame,
                    metric="psnr_y",
                    value=pair.psnr_y_db,
                    reference_png=names["reference"],
                    output_png=names["output"],
                    difference_png=names["difference"],
                )
            )
    except OSError as error:
        raise OutputError(f"cannot write worst frames to {folder}: {error.strerror or error}") from error
    return tuple(saved)


class FrameSaver:
    """Writes whole pictures of chosen pairs while they stream past. It changes: `saved` grows."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the pictures go; it is made when the first one comes."""
        self._folder = folder
        self._scaler = VideoReformatter()
        self._start_s: Fraction | None = None
        self.saved: list[SavedFrame] = []
        """Frames in the order in which they came; picture names are relative to the folder."""

    def save(
        self,
        spec: ColourSpec,
        got: ObservedPicture,
        want: ObservedPicture,
        *,
        time_s: float | None = None,
        reference_png: str | None = None,
    ) -> None:
        """Write a pair of pictures in codes of `spec`; a frame that is there already is not written again.

        `time_s` is when the reference shows it, None to count from the first frame that is saved. `reference_png` is a
        picture of the reference that another output's saver wrote. Raises `OutputError`.
        """
        frame = want.record.index
        if any(saved.frame == frame for saved in self.saved):
            return
        if self._start_s is None:
            self._start_s = want.record.time_s
        names = {kind: f"frame-{frame:06d}-{kind}.png" for kind in ("reference", "output")}
        pictures = {"output": got} if reference_png else {"reference": want, "output": got}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for kind, picture in pictures.items():
                rgb = rgb_of(picture.frame, spec, self._scaler)
                Image.fromarray(rgb).save(self._folder / names[kind], compress_level=_FAST)
        except OSError as error:
            raise OutputError(f"cannot write frames to {self._folder}: {error.strerror or error}") from error
        found = SavedFrame(
            frame=frame,
            time_s=float(want.record.time_s - self._start_s) if time_s is None else time_s,
            reference_png=reference_png or names["reference"],
            output_png=names["output"],
        )
        self.saved.append(found)

    @contextmanager
    def beside(self) -> Iterator[FrameSaver]:
        """Another saver, for a second reading of the same files, whose pictures are lost unless they are `taken`.

        Raises `OutputError` where there is no room for it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            folder = TemporaryDirectory(prefix=".second-reading-", dir=self._folder)
        except OSError as error:
            raise OutputError(f"cannot write frames to {self._folder}: {error.strerror or error}") from error
        with folder as path:
            yield FrameSaver(Path(path))

    def take(self, other: FrameSaver) -> None:
        """Hold what another saver has saved instead of one's own. Raises `OutputError`."""
        try:
            for saved in self.saved:
                for name in (saved.reference_png, saved.output_png):
                    (self._folder / name).unlink(missing_ok=True)
            for saved in other.saved:
                for name in (saved.reference_png, saved.output_png):
                    (other._folder / name).replace(self._folder / name)
        except OSError as error:
            raise OutputError(f"cannot write frames to {self._folder}: {error.strerror or error}") from error
        self.saved, self._start_s = other.saved, other._start_s


def write_frame_csv(report: ValidationReport, target: Path) -> None:
    """One row an output frame, one column a metric; empty where a frame was not measured. Raises `OutputError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(report.series)
    writer.writerow(["frame", *names])
    for frame, values in enumerate(zip(*report.series.values(), strict=True)):
        writer.writerow([frame, *("" if value is None else f"{value:.6g}" for value in values)])
    try:
        write_atomic(target, text.getvalue())
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
