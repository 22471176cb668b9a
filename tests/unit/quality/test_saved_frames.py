"""The same frames of several outputs: which are taken, that they are whole and right, and what each output lacks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.errors import OutputError
from capbench.quality.saved_frames import MOST_FRAMES, PicturedOutput, save_same_frames, with_reasons
from capbench.quality.validate import validate_run
from capbench.results import SavedFrame

_SIZE = (160, 96)
_RATE = 10


def _picture(number: int, *, damaged: bool = False) -> NDArray[np.uint8]:
    """A square that moves over a gradient, so that every frame can be told from its neighbours."""
    across, down = np.meshgrid(np.arange(_SIZE[0]), np.arange(_SIZE[1]))
    rgb = np.stack([across, down, across // 2 + down // 2], axis=-1).astype(np.uint8)
    left = 8 + number * 3 % 120
    rgb[30:60, left : left + 24] = (240, 240, 240)
    if damaged:
        rgb[:48, 80:] //= 2
    return rgb


def _write(path: Path, frames: int, *, damaged: int | None = None, without: int | None = None, qp: int = 4) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(_RATE), options={"preset": "ultrafast", "qp": str(qp)})
        stream.width, stream.height, stream.pix_fmt = *_SIZE, "yuv420p"
        for number in range(frames):
            if number != without:
                frame = av.VideoFrame.from_ndarray(_picture(number, damaged=number == damaged))
                frame.pts, frame.time_base = number, Fraction(1, _RATE)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _save(folder: Path, source: Path, *outputs: Path) -> list[dict[int, SavedFrame]]:
    pictured = [
        PicturedOutput(
            output,
            folder / "frames" / output.stem,
            validate_run(source, output, with_vmaf=False).lowest_frames,
        )
        for output in outputs
    ]
    return [{each.frame: each for each in saved} for saved in save_same_frames(source, pictured)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("source") / "source.mp4", 36)


def test_every_output_has_the_worst_frames_of_all_the_ends_and_one_a_second(source: Path, tmp_path: Path) -> None:
    fine = _write(tmp_path / "fine.mp4", 36, qp=8)
    broken = _write(tmp_path / "broken.mp4", 36, damaged=17, qp=8)

    first, second = _save(tmp_path, source, fine, broken)

    assert first.keys() == second.keys() >= {0, 10, 17, 20, 30, 35}
    assert len(first) <= MOST_FRAMES
    assert "psnr_y" in second[17].reasons
    assert "psnr_y" not in first[17].reasons
    assert (first[0].reasons, first[35].reasons) == (("first",), ("last",))
    assert first[17].time_s == pytest.approx(1.7)


def test_saved_pictures_are_whole_and_show_their_own_frame(source: Path, tmp_path: Path) -> None:
    fine = _write(tmp_path / "fine.mp4", 36, qp=1)
    broken = _write(tmp_path / "broken.mp4", 36, damaged=17, qp=1)

    first, second = _save(tmp_path, source, fine, broken)

    frames = tmp_path / "frames"
    assert first[17].reference_png == second[17].reference_png == "fine/frame-000017-reference.png"  # once for all
    for name, damaged in (
        (first[17].reference_png, False),
        (first[17].output_png, False),
        (second[17].output_png, True),
    ):
        shown = np.asarray(Image.open(frames / name)).astype(int)
        # 4:2:0 blurs colour at the square's edges; another frame or another damage is off by 100 codes over thousands.
        assert np.median(np.abs(shown - _picture(17, damaged=damaged))) <= 3
        assert np.mean(np.abs(shown - _picture(17, damaged=damaged)) > 40) < 0.02


def test_a_frame_that_an_output_does_not_show_is_missing_from_its_own_only(source: Path, tmp_path: Path) -> None:
    whole = _write(tmp_path / "whole.mp4", 36, damaged=20, qp=8)
    without = _write(tmp_path / "without.mp4", 36, without=20, qp=8)

    first, second = _save(tmp_path, source, whole, without)

    assert 20 in first
    assert first.keys() - second.keys() == {20}


def test_a_long_clip_has_no_more_frames_than_a_person_looks_through(tmp_path: Path) -> None:
    source = _write(tmp_path / "source.mp4", 200)
    output = _write(tmp_path / "output.mp4", 200, damaged=133, qp=8)

    (saved,) = _save(tmp_path, source, output)

    assert len(saved) <= MOST_FRAMES
    assert {0, 133, 199} <= saved.keys()
    times = np.array([frame for frame, each in saved.items() if each.reasons == ("second",)])
    assert np.diff(times).max() <= 30  # spread over the whole clip


def test_a_composited_case_saves_every_frame_that_was_rendered(source: Path, tmp_path: Path) -> None:
    report = validate_run(source, source, scene="framed", save_frames=tmp_path / "frames", with_vmaf=False)

    frames = [saved.frame for saved in report.saved_frames]
    assert frames == sorted(frames)
    assert {0, 35} <= set(frames)
    assert len(frames) == report.frames_compared
    assert all((tmp_path / "frames" / each.output_png).is_file() for each in report.saved_frames)
    assert report.saved_frames[-1].reasons[-1] == "last"
    assert report.lowest_frames["psnr_y"] in frames


def test_a_folder_that_cannot_be_written_is_an_output_error(source: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").write_text("taken", encoding="utf-8")

    with pytest.raises(OutputError, match="cannot write frames to"):
        _save(tmp_path, source, _write(tmp_path / "output.mp4", 36))


def test_an_output_without_any_saved_frame_has_none() -> None:
    assert with_reasons((), {"psnr_y": 3}) == ()
