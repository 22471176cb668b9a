"""Foreign clips brought to one size, rate, length and format, on clips that the test makes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, ColorTrc

from capbench.errors import ColourError, SourceError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.normalise_footage import Normalisation, normalise_footage

WANTED = Normalisation(64, 48, Fraction(30), 0.0, 15, "yuv420p")


def _clip(
    path: Path,
    levels: list[int],
    *,
    size: tuple[int, int] = (96, 72),
    rate: int = 10,
    chroma: tuple[int, int] = (128, 128),
    bright: slice | None = None,
    hdr: bool = False,
) -> Path:
    """Pictures of these luma levels, losslessly; of level 200 in the columns `bright`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if hdr:
            stream.codec_context.color_trc = ColorTrc.SMPTE2084
        for level in levels:
            frame = av.VideoFrame(*size, "yuv420p")
            for plane, code in zip(frame.planes, (level, *chroma), strict=True):
                plane_samples(plane)[:] = code
            if bright is not None:
                plane_samples(frame.planes[0])[:, bright] = 200
            if hdr:
                frame.color_trc = ColorTrc.SMPTE2084
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _levels(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [round(float(plane_samples(frame.planes[0]).mean())) for frame in container.decode(video=0)]


def test_size_rate_length_format_and_tags_are_those_asked_for(tmp_path: Path) -> None:
    made = normalise_footage(_clip(tmp_path / "c.mkv", [40, 80, 120, 160, 200]), WANTED, tmp_path / "cache")

    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (64, 48, Fraction(30))
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.color_range == ColorRange.MPEG
        assert stream.codec_context.colorspace == Colorspace.ITU709
        assert not container.streams.audio
    # Three frames of 30 a second for each of 10.
    assert _levels(made) == pytest.approx([40] * 3 + [80] * 3 + [120] * 3 + [160] * 3 + [200] * 3, abs=2)


def test_it_begins_where_it_is_asked_to(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", [40, 80, 120, 160, 200])

    made = normalise_footage(clip, replace(WANTED, start_s=0.2, frames=6), tmp_path / "cache")

    assert _levels(made) == pytest.approx([120] * 3 + [160] * 3, abs=2)


def test_a_lower_rate_leaves_pictures_out(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", list(range(40, 200, 8)), rate=20)

    made = normalise_footage(clip, replace(WANTED, rate=Fraction(5), frames=5), tmp_path / "cache")

    assert _levels(made) == pytest.approx([40, 72, 104, 136, 168], abs=2)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_other_formats(tmp_path: Path, pixel_format: str) -> None:
    clip = _clip(tmp_path / "c.mkv", [100] * 5)

    made = normalise_footage(clip, replace(WANTED, pixel_format=pixel_format, frames=3), tmp_path / "cache")

    assert probe_source(made).planar_format.startswith(pixel_format[:7])


def test_another_aspect_covers_the_picture_and_keeps_its_middle(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", [40] * 3, size=(200, 50), bright=slice(70, 130))

    made = normalise_footage(clip, replace(WANTED, frames=3), tmp_path / "cache")

    with av.open(str(made)) as container:
        luma = plane_samples(next(container.decode(video=0)).planes[0]).astype(float)
    # 64x48 show 66.7 columns of 50 rows: all but the edges of the bright 60.
    assert luma[:, 8:56].mean() == pytest.approx(200, abs=3)
    assert luma[:, [0, -1]].mean() < 120


def test_colours_keep_their_meaning(tmp_path: Path) -> None:
    """A small untagged clip is BT.601; what is made of it is BT.709: by the matrices of both, within rounding."""
    given = {"y": 120, "cb": 100, "cr": 170}
    clip = _clip(tmp_path / "c.mkv", [given["y"]] * 3, chroma=(given["cb"], given["cr"]))
    luma, blue, red = (given["y"] - 16) / 219, (given["cb"] - 128) / 224, (given["cr"] - 128) / 224
    r, b = luma + 2 * (1 - 0.299) * red, luma + 2 * (1 - 0.114) * blue
    g = (luma - 0.299 * r - 0.114 * b) / 0.587
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    wanted = [16 + 219 * y, 128 + 224 * (b - y) / 1.8556, 128 + 224 * (r - y) / 1.5748]

    made = normalise_footage(clip, replace(WANTED, frames=3), tmp_path / "cache")

    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
    assert [float(plane_samples(plane).mean()) for plane in frame.planes] == pytest.approx(wanted, abs=1.2)


def test_it_is_made_once_and_alike(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", [40, 80, 120, 160, 200])
    first = normalise_footage(clip, WANTED, tmp_path / "a")
    written = first.read_bytes()
    stamp = first.stat().st_mtime_ns

    assert normalise_footage(clip, WANTED, tmp_path / "a").stat().st_mtime_ns == stamp
    assert normalise_footage(clip, WANTED, tmp_path / "b").read_bytes() == written
    assert normalise_footage(clip, replace(WANTED, frames=14), tmp_path / "a") != first


def test_a_clip_that_is_too_short_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", [40, 80])

    with pytest.raises(SourceError, match=r"c\.mkv has 0\.2 s .* 0\.5 s are asked for"):
        normalise_footage(clip, WANTED, tmp_path / "cache")
    with pytest.raises(SourceError, match="0 s"):
        normalise_footage(clip, replace(WANTED, start_s=100.0), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_hdr_and_files_that_are_no_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<html>404</html>")

    with pytest.raises(ColourError):
        normalise_footage(_clip(tmp_path / "h.mkv", [100] * 9, hdr=True), WANTED, tmp_path / "cache")
    with pytest.raises(SourceError, match=r"page\.mp4"):
        normalise_footage(tmp_path / "page.mp4", WANTED, tmp_path / "cache")


def test_a_clip_that_stops_decoding_is_named(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "c.mkv", [40 + 4 * number for number in range(30)])
    content = bytearray(clip.read_bytes())
    rng = np.random.default_rng(1)
    content[len(content) // 3 : len(content) // 2] = rng.bytes(len(content) // 2 - len(content) // 3)
    clip.write_bytes(content)

    with pytest.raises(SourceError, match=r"c\.mkv"):
        normalise_footage(clip, replace(WANTED, frames=90), tmp_path / "cache")


def test_a_clip_of_a_rate_that_nobody_shows_is_not_decoded_for_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capbench.pipeline.normalise_footage.MOST_SKIPPED_FRAMES", 8)
    clip = _clip(tmp_path / "c.mkv", [40] * 12, rate=1000)

    with pytest.raises(SourceError, match=r"c\.mkv has more than 8 pictures"):
        normalise_footage(clip, WANTED, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
