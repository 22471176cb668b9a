"""Pictures measured in parts give the figures of one piece, float by float."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from capbench.errors import PartError
from capbench.pipeline.decode.decoded_planes import plane_rows
from capbench.quality.metrics.pairs.pair_records import PairRecords, pooled
from capbench.quality.parts.find_frames import FrameStamp, find_frames
from capbench.quality.parts.known_pictures import arithmetic_digest
from capbench.quality.parts.measure_part import measure_part
from capbench.quality.parts.part_plan import PartPlan
from capbench.quality.parts.records_json import records_as_json, records_from_json
from capbench.quality.reading.clip import Clip
from capbench.quality.reading.observed_frame import frame_digest
from capbench.quality.validate import validate
from capbench.results import ValidationReport
from tests.moving_clips import moving_pictures, write_clip

_FRAMES = 130
"""Three parts of at most 60 frames."""
_SHORT = 72
"""Two parts, the second of which begins inside a group of pictures."""
_FAST = ("psnr", "ssim", "ffmpeg_psnr", "ffmpeg_ssim", "xpsnr")


class _SameProcess:
    """Measures parts at once, and remembers their plans."""

    def __init__(self, reference: Path, output: Path, parts: int, *, neighbours: int | None = None) -> None:
        self.parts = parts
        self.threads: int | None = None
        self.plans: list[PartPlan] = []
        self._files = reference, output
        self._neighbours = neighbours

    def submit(self, plan: str) -> Future[str]:
        part = PartPlan.from_json(plan)
        self.plans.append(part)
        if self._neighbours is not None:
            kept = self._neighbours
            part = replace(part, before=part.before[len(part.before) - kept :], behind=part.behind[:kept])
        future: Future[str] = Future()
        try:
            future.set_result(records_as_json(measure_part(*self._files, part), part))
        except PartError as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    pictures = moving_pictures()[:_FRAMES]
    return write_clip(folder / "reference.mp4", pictures, crf=10), write_clip(folder / "output.mp4", pictures, crf=32)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("short") / "reference.mp4", moving_pictures()[:_SHORT], crf=10)


@dataclass(frozen=True)
class _Measured:
    """The clips measured as one piece and in three parts, with the pictures that either saved."""

    whole: ValidationReport
    in_parts: ValidationReport
    plans: list[PartPlan]
    folders: tuple[Path, Path]


@pytest.fixture(scope="module")
def measured(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> _Measured:
    folders = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("in-parts")
    runner = _SameProcess(*clips, 3)
    whole = validate(*clips, metrics=_FAST, save_frames=folders[0])
    in_parts = validate(*clips, metrics=_FAST, save_frames=folders[1], in_parts=runner)
    return _Measured(whole, in_parts, runner.plans, folders)


def _both(
    reference: Path, output: Path, metrics: Sequence[str] = _FAST, parts: int = 3
) -> tuple[ValidationReport, ValidationReport, _SameProcess]:
    runner = _SameProcess(reference, output, parts)
    whole = validate(reference, output, metrics=metrics)
    return whole, validate(reference, output, metrics=metrics, in_parts=runner), runner


def test_every_figure_of_parts_is_that_of_one_piece(measured: _Measured) -> None:
    assert [plan.first_frame for plan in measured.plans] == [0, 60, 120]
    assert sum(value is not None for value in measured.whole.series["xpsnr_y"]) == _FRAMES
    assert measured.in_parts.model_dump() == measured.whole.model_dump()


def test_worst_frames_are_the_same_pictures(measured: _Measured) -> None:
    whole, in_parts = measured.folders

    assert measured.in_parts.worst_frames == measured.whole.worst_frames
    names = sorted(path.name for path in whole.iterdir())
    assert len(names) == 9
    assert all((whole / name).read_bytes() == (in_parts / name).read_bytes() for name in names)


def test_without_neighbours_temporal_metrics_would_differ(clips: tuple[Path, Path], measured: _Measured) -> None:
    """What the overlap is for; a comparison that could not fail would prove nothing above."""
    whole = measured.whole
    apart = validate(*clips, metrics=_FAST, in_parts=_SameProcess(*clips, 3, neighbours=0))

    differing = {name for name in whole.series if apart.series[name] != whole.series[name]}
    assert differing == {"xpsnr_y", "xpsnr_cb", "xpsnr_cr"}
    first = [n for n in range(_FRAMES) if apart.series["xpsnr_y"][n] != whole.series["xpsnr_y"][n]]
    assert first == [60, 120]


def test_above_32_frames_a_second_two_neighbours_are_needed_and_enough(tmp_path: Path) -> None:
    pictures = moving_pictures()[:_SHORT]
    clips = (
        write_clip(tmp_path / "reference.mp4", pictures, crf=10, rate=60),
        write_clip(tmp_path / "output.mp4", pictures, crf=32, rate=60),
    )
    whole, in_parts, runner = _both(*clips, metrics=["xpsnr"], parts=2)
    one = validate(*clips, metrics=["xpsnr"], in_parts=_SameProcess(*clips, 2, neighbours=1))

    assert len(runner.plans) == 2
    assert in_parts.model_dump() == whole.model_dump()
    assert one.series["xpsnr_y"] != whole.series["xpsnr_y"]


def test_libvmaf_gives_the_same_in_parts(tmp_path: Path) -> None:
    """VMAF's motion looks at both neighbours, and is forced to 0 at the first frame of what it is given."""
    pictures = moving_pictures((224, 128))[:_SHORT]
    clips = (
        write_clip(tmp_path / "reference.mp4", pictures, crf=10),
        write_clip(tmp_path / "output.mp4", pictures, crf=32),
    )
    whole, in_parts, runner = _both(*clips, metrics=["vmaf", "vmaf_neg", "cambi", "psnr_hvs"], parts=2)
    if "vmaf" not in whole.series:
        pytest.skip(f"no libvmaf here: {whole.unmeasured['vmaf']}")

    assert len(runner.plans) == 2
    assert in_parts.model_dump() == whole.model_dump()
    apart = validate(*clips, metrics=["vmaf"], in_parts=_SameProcess(*clips, 2, neighbours=0))
    assert apart.series["vmaf"] != whole.series["vmaf"]


def test_frames_without_counterpart_and_other_rates_are_cut_at_the_reference(tmp_path: Path) -> None:
    pictures = moving_pictures()[:_FRAMES]
    reference = write_clip(tmp_path / "reference.mp4", pictures, crf=10)
    every = list(range(0, 50, 2)) + list(range(53, 75, 2)) + list(range(85, _FRAMES))
    black = np.zeros_like(pictures[0])
    shown = [pictures[n] if n != 100 else black for n in every]
    output = write_clip(tmp_path / "output.mp4", shown, crf=28, shown=every)
    whole, in_parts, runner = _both(reference, output)

    starts = [next(pair.reference for pair in plan.frames if pair.reference) for plan in runner.plans]
    assert [start.index for start in starts] == [0, 61, 120]
    assert in_parts.model_dump() == whole.model_dump()


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("open.mp4", "libx264", {"x264-params": "open-gop=1:bframes=3:scenecut=0"}),
        ("refresh.mp4", "libx264", {"x264-params": "intra-refresh=1:scenecut=0"}),
        ("times_of_packets.avi", "libx264", {"x264-params": "bframes=2"}),
        ("stream.ts", "libx264", {"x264-params": "open-gop=1:bframes=2"}),
        ("vp9.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_streams_that_cannot_be_entered_anywhere_give_the_same(
    short: Path, tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    output = write_clip(tmp_path / name, moving_pictures()[:_SHORT], crf=32, codec=codec, options=options)
    whole, in_parts, runner = _both(short, output, metrics=["psnr", "xpsnr"], parts=2)

    assert len(runner.plans) == 2
    assert in_parts.model_dump() == whole.model_dump()


def test_a_file_whose_tags_change_midway_is_read_by_those_of_its_first_frame(short: Path, tmp_path: Path) -> None:
    """A part that begins behind the change must not take the frame's own tags for the file's."""
    # Looked at closely in every pair, as such a stream has no length.
    pictures = moving_pictures()[:_SHORT]
    first = write_clip(tmp_path / "first.h264", pictures[:40], crf=30, options={"x264-params": "colormatrix=bt709"})
    second = write_clip(
        tmp_path / "second.h264", pictures[40:], crf=30, options={"x264-params": "colormatrix=smpte170m"}
    )
    output = tmp_path / "joined.h264"
    output.write_bytes(first.read_bytes() + second.read_bytes())
    whole, in_parts, runner = _both(short, output, metrics=["psnr"], parts=2)

    assert len(runner.plans) == 2
    assert in_parts.model_dump() == whole.model_dump()


def test_a_file_that_is_another_than_the_plans_is_no_part_of_it(short: Path, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other.mp4", moving_pictures()[:_SHORT][::-1], crf=32)

    with pytest.raises(PartError, match=r"part 1 of 2: .*does not decode to the same picture twice"):
        validate(short, short, metrics=["psnr"], in_parts=_SameProcess(short, other, 2))


@pytest.mark.parametrize(
    ("form", "row_bytes"),
    [
        ("yuv420p", (33, 17, 17)),
        ("yuv420p10le", (66, 34, 34)),
        ("gray", (33,)),
        ("gray10le", (66,)),
        ("nv12", (33, 34)),
        ("p010le", (66, 68)),
        ("rgb24", (99,)),
        ("bgr0", (132,)),
        ("gbrpf32le", (132, 132, 132)),
        ("monob", (5,)),
    ],
)
def test_a_digest_is_of_samples_and_not_of_what_pads_their_rows(form: str, row_bytes: tuple[int, ...]) -> None:
    """What pads a row is whatever was in memory: decoded twice, the same picture has another padding."""

    def digest(padding: int, last: int) -> int:
        frame = av.VideoFrame(33, 10, form)
        for plane, end in zip(frame.planes, row_bytes, strict=True):
            rows = plane_rows(plane)
            assert rows.shape[1] > end
            rows[:, :end], rows[:, end:] = 7, padding
        plane_rows(frame.planes[-1])[-1, row_bytes[-1] - 1] = last
        return frame_digest(frame)

    assert digest(0, 7) == digest(255, 7)
    assert digest(0, 7) != digest(0, 8)


def test_frames_are_found_without_reading_what_lies_far_before_them(
    clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = [FrameStamp(index, frame.pts, frame_digest(frame)) for index, frame in enumerate(Clip(clips[1]).frames())]
    monkeypatch.setattr(Clip, "frames", lambda _clip: pytest.fail("read from its start"))

    found = [frame_digest(frame) for frame in find_frames(clips[1], stamps[100:110:3])]

    assert found == [stamp.digest for stamp in stamps[100:110:3]]


def test_records_come_back_from_text_as_they_were(clips: tuple[Path, Path], measured: _Measured) -> None:
    plan = measured.plans[1]
    assert PartPlan.from_json(plan.as_json()) == plan
    text = records_as_json(measure_part(*clips, plan), plan)

    answer = records_from_json(text)

    assert records_as_json(answer.records, plan) == text
    assert [pair.output_frame for pair in answer.records.worst] == list(answer.worst_frames)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"first_frame": 0}', "null", '{"first_frame": "x", "pairs": {}}', "\x00"]
)
def test_what_is_neither_plan_nor_records_is_refused(text: str) -> None:
    with pytest.raises(PartError, match="not the plan"):
        PartPlan.from_json(text)
    with pytest.raises(PartError, match="not the records"):
        records_from_json(text)


def test_parts_must_follow_each_other() -> None:
    with pytest.raises(PartError, match="begins at output frame 5 where 0 comes next"):
        pooled([PairRecords(5)])


def test_known_pictures_are_the_same_here_every_time() -> None:
    assert arithmetic_digest(["psnr", "xpsnr"]) == arithmetic_digest(["psnr", "xpsnr"])
    assert arithmetic_digest(["psnr", "xpsnr"]) != arithmetic_digest(["psnr"])
