"""`validate` on files: known faults of real and synthetic clips, bad input, and the verb itself."""

from __future__ import annotations

import json
import re
import struct
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.errors import SourceError, UnavailableError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import export
from capbench.pipeline.job import ExportOptions
from capbench.pipeline.scene import Scene
from capbench.quality.expectation import Expectation
from capbench.quality.metrics import open_meters
from capbench.quality.oracle import nv12_to_rgb
from capbench.quality.reading.planes import Planes, planes_of
from capbench.quality.validate import validate, validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import CheckStatus, ValidationReport
from capbench.selftest.reencode import Remake, Shot, remake

FRAMES = 60
SMALL_FRAMES = 48
WHERE = 8
"""Frame of single faults, in the part of the footage that moves."""


@pytest.fixture(autouse=True)
def without_libvmaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a third of the time, decides no check, and has tests of its own (`test_chosen_metrics.py`)."""

    def find_none() -> None:
        raise UnavailableError("left out of these tests")

    monkeypatch.setattr(open_meters, "find_tool", find_none)


@pytest.fixture(scope="module")
def recording() -> Path:
    """Two seconds of a synthetic recording, with sound."""
    return make_recording(RecordingSpec("selftest", 640, 360, 30, 2.0))


@pytest.fixture(scope="module")
def small() -> Path:
    """A quarter of its size, and both flashes: for what is not about the picture."""
    return make_recording(RecordingSpec("validated", 320, 180, 30, 1.6))


@pytest.fixture(scope="module")
def clean(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording encoded once more."""
    return remake(recording, tmp_path_factory.mktemp("validate") / "clean.mp4", Remake())


def failures(report: ValidationReport) -> dict[str, str]:
    return {check.name: check.message for check in report.failures}


def status(report: ValidationReport, name: str) -> CheckStatus:
    return next(check.status for check in report.checks if check.name == name)


def test_a_file_is_itself(recording: Path) -> None:
    report = validate(recording, recording)

    assert failures(report) == {}
    assert report.metrics["ssim_y"].mean == 1.0
    assert report.metrics["psnr_y"].frames == report.frames_compared == FRAMES
    assert report.av_offset_ms == pytest.approx(0, abs=0.1)
    assert len(report.patches) == 24
    assert {patch.ciede2000 for patch in report.patches} == {0.0}


def test_a_clean_remake_passes_with_sensible_figures(recording: Path, clean: Path) -> None:
    report = validate(recording, clean)

    assert failures(report) == {}
    assert 40 < (report.metrics["psnr_y"].mean or 0) < 60
    # PSNR by NumPy and by FFmpeg's filter see the same decoded frames.
    for ours, theirs in zip(report.series["psnr_y"], report.series["ffmpeg_psnr_y"], strict=True):
        assert ours == pytest.approx(theirs, abs=0.01)


def _shifted(recording: Path, output: Path, shift_ms: int) -> Path:
    """Sound that would start before 0 is made by moving the picture instead."""
    late = Fraction(max(0, shift_ms), 1000)
    early = Fraction(max(0, -shift_ms), 1000)

    def shots(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            yield replace(shot, time_s=shot.time_s + early)

    return remake(recording, output, Remake(shots=shots, audio_start_s=late))


@pytest.mark.parametrize("shift_ms", [-120, -40, 25, 90, 400])
def test_a_known_audio_shift_is_measured_within_5_ms(small: Path, tmp_path: Path, shift_ms: int) -> None:
    report = validate(small, _shifted(small, tmp_path / "shifted.mp4", shift_ms))

    assert report.av_offset_ms == pytest.approx(shift_ms, abs=5)
    assert "2 flashes" in failures(report)["audio.offset"]


@pytest.mark.parametrize("shift_ms", [0, -60])
def test_sync_needs_no_sound_in_the_reference(small: Path, tmp_path: Path, shift_ms: int) -> None:
    silent = remake(small, tmp_path / "silent.mp4", Remake(audio=lambda _: None))

    report = validate(silent, _shifted(small, tmp_path / "shifted.mp4", shift_ms))

    assert report.av_offset_ms == pytest.approx(shift_ms, abs=5)
    assert ("audio.offset" in failures(report)) is (shift_ms != 0)


def test_what_the_reference_is_off_by_is_not_the_outputs_fault(small: Path, tmp_path: Path) -> None:
    late = _shifted(small, tmp_path / "late.mp4", 60)

    report = validate(late, _shifted(small, tmp_path / "as-late.mp4", 60))

    assert report.av_offset_ms == pytest.approx(0, abs=5)


def test_footage_without_flashes_is_measured_by_its_sound(media: Path, tmp_path: Path) -> None:
    """The marks of recordings are absent: the two sounds are compared with each other."""
    source = remake(
        media / "nasa_two_audio_320x180.mp4",
        tmp_path / "short.mp4",
        Remake(shots=lambda shots: list(shots)[:90], audio=lambda sound: sound[:, : 3 * 48_000]),
    )

    report = validate(source, _shifted(source, tmp_path / "shifted.mp4", 90))

    assert report.av_offset_ms == pytest.approx(90, abs=5)
    assert "flash" not in failures(report)["audio.offset"]


def _dropped(shots: list[Shot]) -> list[Shot]:
    return [shot for index, shot in enumerate(shots) if index != WHERE]


def _swapped(shots: list[Shot]) -> list[Shot]:
    planes = [shot.planes for shot in shots]
    planes[WHERE], planes[WHERE + 4] = planes[WHERE + 4], planes[WHERE]
    return [shot.showing(shown) for shot, shown in zip(shots, planes, strict=True)]


def _black(shots: list[Shot]) -> list[Shot]:
    old = shots[WHERE].planes
    empty = Planes(np.full_like(old.luma, 16), np.full_like(old.cb, 128), np.full_like(old.cr, 128))
    return [shot.showing(empty) if index == WHERE else shot for index, shot in enumerate(shots)]


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (None, None),
        (_dropped, "frames.missing"),
        (_swapped, "frames.order"),
        (_black, "frames.black"),
        (lambda shots: shots[:-6], "frames.last"),
        (lambda shots: shots[4:], "frames.first"),
    ],
    ids=["clean", "dropped", "swapped", "black", "last lost", "first lost"],
)
def test_real_footage_without_marks_is_aligned_by_content(
    media: Path, tmp_path: Path, edit: Callable[[list[Shot]], list[Shot]] | None, check: str | None
) -> None:
    """Ordinary footage; the part in which something moves, as frames that look alike cannot be told apart."""
    source = media / "nasa_two_audio_320x180.mp4"

    def part(frames: Iterator[Shot]) -> list[Shot]:
        chosen = list(frames)[134:194]
        return [replace(shot, time_s=shot.time_s - chosen[0].time_s) for shot in chosen]

    def shots(frames: Iterator[Shot]) -> list[Shot]:
        return part(frames) if edit is None else edit(part(frames))

    short = remake(source, tmp_path / "short.mp4", Remake(shots=part, audio=lambda _: None, qp=10))
    output = remake(source, tmp_path / "edited.mp4", Remake(shots=shots, audio=lambda _: None))

    found = failures(validate(short, output))

    assert (check in found) if check else found == {}


def test_what_an_other_size_is_compared_with(small: Path, tmp_path: Path) -> None:
    """Half size: said plainly unless it was meant; the pictures are compared either way."""

    def halved(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            planes = (
                np.asarray(
                    Image.fromarray(plane).resize((plane.shape[1] // 2, plane.shape[0] // 2), Image.Resampling.BICUBIC)
                )
                for plane in shot.planes.all
            )
            yield shot.showing(Planes(*planes))

    output = remake(small, tmp_path / "half.mp4", Remake(shots=halved))

    unexpected = validate(small, output)
    meant = validate(small, output, expected=Expectation(size=(160, 90)))

    assert re.search("160x90.*320x180", failures(unexpected)["picture.size"])
    assert "--expect-size 160x90" in failures(unexpected)["picture.size"]
    assert status(meant, "picture.size") is CheckStatus.PASS
    assert meant.frames_compared == SMALL_FRAMES


def test_another_shape_is_not_compared_and_not_passed(recording: Path, tmp_path: Path) -> None:
    def cut(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            yield shot.showing(shot.planes.cropped(360, 360))

    report = validate(recording, remake(recording, tmp_path / "square.mp4", Remake(shots=cut)))

    assert "picture.size" in failures(report)
    assert status(report, "picture.quality") is CheckStatus.UNCHECKED
    assert not report.passed


def test_of_a_turned_picture_nothing_else_is_judged(recording: Path, tmp_path: Path) -> None:
    """It is neither blurred nor banded nor of wrong colours, and not passed."""

    def turned(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in list(source)[::20]:
            yield shot.showing(Planes(*(plane[::-1, ::-1].copy() for plane in shot.planes.all)))

    report = validate(recording, remake(recording, tmp_path / "turned.mp4", Remake(shots=turned)))

    assert "rotated by 180°" in failures(report)["picture.orientation"]
    for name in ("picture.quality", "picture.sharpness", "colour.meaning", "colour.levels"):
        assert status(report, name) is CheckStatus.UNCHECKED


def test_pictures_that_are_rgb_need_no_matrix_and_no_range(recording: Path, tmp_path: Path) -> None:
    """A single PNG of the right colours: lost frames are what is wrong with it."""
    with av.open(str(recording)) as container:
        planes = planes_of(next(container.decode(video=0)))
    rgb = nv12_to_rgb(planes.luma, planes.chroma, ColourSpec())
    Image.fromarray((rgb * 255 + 0.5).astype(np.uint8)).save(tmp_path / "first.png")

    report = validate(recording, tmp_path / "first.png")

    assert "frames.last" in failures(report)
    assert status(report, "tags.present") is CheckStatus.NOT_APPLICABLE
    for name in ("colour.meaning", "colour.bias", "colour.patches", "colour.levels"):
        assert status(report, name) is CheckStatus.PASS


def test_another_rate_is_accepted_where_it_was_meant(small: Path, tmp_path: Path) -> None:
    output = remake(small, tmp_path / "15fps.mp4", Remake(shots=lambda shots: list(shots)[::2]))

    unexpected = failures(validate(small, output))
    meant = validate(small, output, expected=Expectation(rate=Fraction(15)))

    assert "frames.missing" in unexpected
    assert failures(meant) == {}


def _at_rate(rate: int) -> Callable[[Iterator[Shot]], list[Shot]]:
    """Each picture from the first frame of a constant rate on that is not before it."""

    def shots(source: Iterator[Shot]) -> list[Shot]:
        kept = list(source)
        times = [Fraction(number, rate) for number in range(int((kept[-1].time_s + Fraction(1, 60)) * rate) + 1)]
        return [replace([shot for shot in kept if shot.time_s <= time_s][-1], time_s=time_s) for time_s in times]

    return shots


@pytest.mark.parametrize(("source_rate", "rate"), [(30, 60), (24, 60), (24, 25)])
def test_the_raster_of_another_rate_is_no_drift_of_the_sound(source_rate: int, rate: int, tmp_path: Path) -> None:
    """A picture that falls between two frames comes with the later one; sound that is late by more is still late."""
    source = make_recording(RecordingSpec("other-rate", 320, 180, source_rate, 1.6))  # small: times are the subject
    shots = _at_rate(rate)
    on_time = remake(source, tmp_path / "on-time.mp4", Remake(shots=shots))
    late = remake(source, tmp_path / "late.mp4", Remake(shots=shots, audio_start_s=Fraction(9, 100)))
    expected = Expectation(rate=Fraction(rate))

    assert failures(validate(source, on_time, expected=expected)) == {}
    assert set(failures(validate(source, late, expected=expected))) == {"audio.offset"}


def test_the_wrong_reference_is_said_to_be_one(media: Path, small: Path, tmp_path: Path) -> None:
    silent = Remake(shots=lambda shots: list(shots)[:SMALL_FRAMES], audio=lambda _: None)
    other = remake(media / "nasa_two_audio_320x180.mp4", tmp_path / "other.mp4", silent)

    found = failures(validate(other, small))

    assert "picture.same" in found


def test_a_damaged_reference_is_not_blamed_on_the_output_and_not_passed(media: Path) -> None:
    damaged = media / "corrupted_1280x720.mp4"

    report = validate(damaged, damaged)

    assert "reference.decodes" in failures(report)
    assert status(report, "frames.last") is CheckStatus.UNCHECKED


def test_a_coarse_encoder_is_no_fault_of_colour(tmp_path: Path) -> None:
    """At QP 40 a patch is off by CIEDE2000 4, which in a good picture would be too much."""
    small = make_recording(RecordingSpec("coarse", 426, 240, 30, 1.0))

    report = validate(small, remake(small, tmp_path / "coarse.mp4", Remake(qp=40)))

    assert failures(report) == {}
    assert any((patch.ciede2000 or 0) > 3 for patch in report.patches)


@pytest.mark.parametrize("name", ["bt601_full_range_320x240.mp4", "nasa_rotated90_480x270.mp4", "odd_444_321x241.mp4"])
def test_real_clips_are_themselves(media: Path, name: str) -> None:
    """Whatever the colour, turn or subsampling: no check may find fault with a file that is held against itself."""
    assert failures(validate(media / name, media / name)) == {}


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["gpu", "cpu"])
@pytest.mark.parametrize("name", ["bt601_full_range_320x240.mp4", "nasa_rotated90_480x270.mp4", "odd_444_321x241.mp4"])
def test_exports_of_real_clips_are_right(media: Path, tmp_path: Path, name: str, path: str) -> None:
    """Another matrix and range, a turned picture, and 4:4:4 of an odd size become BT.709 limited 4:2:0."""
    output = tmp_path / "out.mp4"
    export(media / name, output, ExportOptions(path=path, encoder=EncoderSettings(qp=10)))

    report = validate_run(media / name, output)

    assert failures(report) == {}
    assert report.frames_compared == len(report.series["psnr_y"])


LAYERS: dict[str, Any] = {
    "background": {"gradient": ("#204080", "#e0a060")},
    "display": {"padding": 0.06, "rounding_px": 40},
    "mask": [{"kind": "pixelate", "rectangle": (0.3, 0.3, 0.3, 0.3), "strength_px": 60}],
    "cursor": {"path": [(0.0, 0.55, 0.7), (1.0, 0.75, 0.6)], "size_px": 120, "clicks_s": [0.4]},
    "camera": {"size": 0.3, "shadow": {}},
    "caption": [{"text": "One caption", "size_px": 90, "start_s": 0.3, "fade_s": 0.25, "position": (0.4, 0.85)}],
}
FRAME_S = 1 / 30


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"caption": [LAYERS["caption"][0] | {"start_s": 0.3 + FRAME_S}]}, "caption “One caption” is"),
        ({"cursor": LAYERS["cursor"] | {"path": [(0.0, 0.56, 0.7), (1.0, 0.76, 0.6)]}}, "cursor is"),
    ],
    ids=["clean", "caption a frame late", "cursor aside"],
)
def test_what_a_scene_draws_over_the_recording_is_held_against_the_oracle(
    tmp_path: Path, changes: dict[str, Any], words: str | None
) -> None:
    """The export draws another scene than the one that was asked for."""
    short = make_recording(RecordingSpec("layers", 480, 270, 30, 1.0))
    output = tmp_path / "out.mp4"
    export(short, output, ExportOptions(scene=Scene.model_validate(LAYERS | changes)))

    found = failures(validate_run(short, output, scene=Scene.model_validate(LAYERS)))

    if words is None:
        assert found == {}
    else:
        assert words in found["picture.layers"]
        assert found["picture.layers"].count(" is ") == 1


def _gif(source: Path, output: Path, spec: ColourSpec) -> Path:
    """A GIF of 10 pictures a second that takes the source's codes for `spec`."""
    with av.open(str(source)) as container:
        pictures = []
        for frame in list(container.decode(video=0))[::3]:
            planes = planes_of(frame)
            rgb = nv12_to_rgb(planes.luma, planes.chroma, spec)
            pictures.append(Image.fromarray((rgb * 255 + 0.5).astype(np.uint8)))
    palette = pictures[0].quantize(256, Image.Quantize.FASTOCTREE)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
    pictures[0].save(output, save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return output


def test_a_gif_is_held_to_what_a_gif_can_do(recording: Path, tmp_path: Path) -> None:
    """No sound, no tags, no colour as it was: none of it is a fault."""
    output = _gif(recording, tmp_path / "out.gif", ColourSpec())

    meant = validate(recording, output, expected=Expectation(rate=Fraction(10)))

    assert failures(meant) == {}
    for name in ("tags.present", "audio.present", "audio.offset", "colour.bias", "colour.levels", "colour.siting"):
        assert status(meant, name) is CheckStatus.NOT_APPLICABLE
    for name in ("colour.meaning", "colour.patches", "picture.quality", "time.stamps", "frames.readable"):
        assert status(meant, name) is CheckStatus.PASS


def test_a_gif_of_the_wrong_colours_is_flagged(recording: Path, tmp_path: Path) -> None:
    output = _gif(recording, tmp_path / "out.gif", ColourSpec(MatrixCoefficients.BT601))

    found = failures(validate(recording, output, expected=Expectation(rate=Fraction(10))))

    assert "as if BT.709 had been read as BT.601" in found["colour.meaning"]
    assert "colour.patches" in found


@pytest.mark.usefixtures("gpu")
def test_a_run_that_makes_a_gif_has_a_gifs_rate(tmp_path: Path) -> None:
    """20 pictures a second of a recording of 30."""
    short = make_recording(RecordingSpec("layers", 480, 270, 30, 1.0))
    output = tmp_path / "out.gif"
    export(short, output, ExportOptions(path="gpu"))

    assert failures(validate_run(short, output)) == {}


def _sound_file(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack("<800h", *range(800)))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("absent.mp4", str, "no such file"),
        ("folder.mp4", Path.mkdir, "folder"),
        ("empty.mp4", Path.touch, "empty"),
        ("text.mp4", lambda path: path.write_text("not a video"), "not a video"),
        ("sound.wav", _sound_file, "no video"),
    ],
)
def test_files_that_are_no_video_are_refused_in_one_line(
    small: Path, tmp_path: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / name
    make(path)

    for arguments in ([str(small), str(path)], [str(path), str(small)]):
        result = CliRunner().invoke(command_line.app, ["validate", *arguments])

        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    with pytest.raises(SourceError, match=message):
        validate(small, path)


def test_one_reason_for_many_checks_is_said_once(recording: Path, tmp_path: Path) -> None:
    def cut(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in list(source)[::20]:
            yield shot.showing(shot.planes.cropped(360, 360))

    output = remake(recording, tmp_path / "square.mp4", Remake(shots=cut, audio=lambda _: None))

    shown = (
        CliRunner().invoke(command_line.app, ["validate", str(recording), str(output)], env={"COLUMNS": "300"}).stdout
    )

    rows = [line for line in shown.splitlines() if "UNCHECKED" in line and "360x360" in line]
    assert [row.split()[0] for row in rows] == ["picture.same", "colour.meaning"]
    assert "(and orientation, quality, outliers, local, edges, place, sharpness, fields)" in " ".join(shown.split())
    assert "the output has no sound (and channels, sides, polarity, length," in shown


def test_a_header_without_a_picture_is_refused(small: Path, tmp_path: Path) -> None:
    """The index is there and every byte of video is not."""
    content = small.read_bytes()
    start = content.index(b"mdat") + 4
    end = start + int.from_bytes(content[start - 8 : start - 4], "big") - 8
    path = tmp_path / "hollow.mp4"
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])

    with pytest.raises(SourceError, match=r"no frame decodes|first frame does not decode"):
        validate(small, path)


@pytest.mark.parametrize("option", [["--expect-size", "big"], ["--expect-size", "0x4"], ["--expect-fps", "1/0"]])
def test_wrong_expectations_are_refused(small: Path, option: list[str]) -> None:
    result = CliRunner().invoke(command_line.app, ["validate", str(small), str(small), *option])

    assert result.exit_code == 2
    assert "write for example" in result.stderr


def test_the_verb_prints_writes_and_fails(small: Path, tmp_path: Path) -> None:
    output = remake(small, tmp_path / "[bold]short.mp4", Remake(shots=lambda shots: list(shots)[:-5]))
    arguments = ["validate", str(small), str(output)]
    more = ["--save-frames", str(tmp_path / "worst"), "--csv", str(tmp_path / "frames.csv")]

    table = CliRunner().invoke(command_line.app, [*arguments, *more, "--no-vmaf"], env={"COLUMNS": "200"})
    machine = CliRunner().invoke(command_line.app, [*arguments, "--json", "-"])

    assert (table.exit_code, machine.exit_code) == (1, 1)
    assert re.search("frames.last .*5 frames of 48", table.stdout)
    assert "[bold]short.mp4" in table.stdout
    assert re.search(r"\bvmaf\b.*: not measured", table.stdout)
    report = ValidationReport.model_validate(json.loads(machine.stdout))
    assert "frames.last" in failures(report)
    rows = (tmp_path / "frames.csv").read_text().splitlines()
    assert len(rows) == SMALL_FRAMES - 5 + 1
    assert rows[0].startswith("frame,psnr_y,")
    pictures = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert len(pictures) == 9
    with Image.open(tmp_path / "worst" / pictures[0]) as picture:
        assert picture.size == (320, 180)


def test_pictures_rounded_to_the_nearest_frame_of_another_rate_are_in_sync(tmp_path: Path) -> None:
    """FFmpeg's `fps=12` shows the last of the frames that fall to a tick: a picture comes up to half a frame early."""
    source = make_recording(RecordingSpec("rounded", 320, 180, 60, 1.6))

    def shots(frames: Iterator[Shot]) -> list[Shot]:
        last_of: dict[int, Shot] = {}
        for shot in frames:
            last_of[int(shot.time_s * 12 + Fraction(1, 2))] = shot
        return [replace(shot, time_s=Fraction(tick, 12)) for tick, shot in last_of.items()]

    rounded = remake(source, tmp_path / "rounded.mp4", Remake(shots=shots))
    late = remake(source, tmp_path / "late.mp4", Remake(shots=shots, audio_start_s=Fraction(12, 100)))
    expected = Expectation(rate=Fraction(12))

    assert "audio.offset" not in failures(validate(source, rounded, expected=expected))
    assert "audio.offset" in failures(validate(source, late, expected=expected))


def test_pictures_that_start_beside_the_raster_of_their_own_rate_may_be_moved_onto_it(tmp_path: Path) -> None:
    """FFmpeg's `-r 15` moves a picture that starts 16 ms after the sound to its start."""
    recording = make_recording(RecordingSpec("beside", 320, 180, 15, 1.6))

    def later(ms: int) -> Remake:
        return Remake(shots=lambda shots: [replace(shot, time_s=shot.time_s + Fraction(ms, 1000)) for shot in shots])

    beside, wide = (remake(recording, tmp_path / f"{ms}.mp4", later(ms)) for ms in (17, 34))
    expected = Expectation(rate=Fraction(15))

    assert "audio.offset" not in failures(validate(beside, recording, expected=expected))
    assert "audio.offset" in failures(validate(beside, recording))
    assert "audio.offset" in failures(validate(recording, wide, expected=expected))


def test_pictures_half_way_between_frames_of_their_own_rate_may_go_to_either(tmp_path: Path) -> None:
    """FFmpeg's `-r 25` showed the first pictures of a file that starts at 59 ms 19 ms early, the rest 21 ms late."""
    recording = make_recording(RecordingSpec("between", 320, 180, 25, 1.6))

    def moved(first_ms: int, from_the_middle_ms: int) -> Remake:
        def shots(frames: Iterator[Shot]) -> list[Shot]:
            by_ms = ((shot, first_ms if shot.time_s < 1 else from_the_middle_ms) for shot in frames)
            return [replace(shot, time_s=shot.time_s + Fraction(ms, 1000)) for shot, ms in by_ms]

        return Remake(shots=shots)

    between, either, farther = (
        remake(recording, tmp_path / f"{first}-{rest}.mp4", moved(first, rest))
        for first, rest in ((59, 59), (40, 80), (40, 120))
    )
    expected = Expectation(rate=Fraction(25))

    assert "audio.drift" not in failures(validate(between, either, expected=expected))
    assert "audio.drift" in failures(validate(between, farther, expected=expected))
    assert "audio.drift" in failures(validate(between, either))
