"""HDR is refused, or exported as SDR where that was asked for: pictures, report, and what stays refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.errors import ColourError, InputError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export, floor_export
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.oracle.tone_mapping import HdrCodes, sdr_rgb
from capbench.quality.reading.tags import read_tags
from capbench.quality.validate import validate_run
from tests.hdr_clips import HLG, HdrClip, box, mdcv_box, with_entry_boxes, write_hdr

HDR10 = HdrClip(frames=2)
P3_4000 = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"
EXACT = EncoderSettings(qp=0)
"""x264 without loss."""
TOLERANCE_CODES = 1
"""Both round: the pass to half floats and the texture to 8 bits before the conversion, the oracle once."""
NV12_MEAN_CODES = 0.5

pytestmark = pytest.mark.usefixtures("gpu")


def planes(path: Path) -> list[NDArray[np.uint16]]:
    """Y, Cb, Cr codes of the first picture."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        kind = np.dtype("<u2") if frame.format.components[0].bits > 8 else np.dtype(np.uint8)
        return [
            np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width].astype(np.uint16)
            for plane in frame.planes
        ]


def wanted(source: Path, transfer: str, peak_cd_m2: float, bits: int = 10) -> NDArray[np.uint8]:
    """The oracle's luma of the first picture."""
    codes = HdrCodes(planes(source), bits, ColourSpec(MatrixCoefficients.BT2020), transfer, "BT.2020", peak_cd_m2)
    return rgb_to_nv12(np.floor(sdr_rgb(codes) * 255 + 0.5).astype(np.uint8), ColourSpec())[0]


@pytest.mark.parametrize("path", ["gpu", "gpu-fused", "cpu"])
def test_every_path_exports_what_the_oracle_makes_of_it(tmp_path: Path, path: str) -> None:
    source = write_hdr(tmp_path / "source.mp4", HDR10)
    target = tmp_path / "out.mp4"

    report = export(source, target, ExportOptions(path=path, tone_map="bt2390", encoder=EXACT))

    assert (report.path_used, report.tone_map, report.source_peak_cd_m2) == (path, "bt2390", 1000)
    assert report.source_peak_from == "MaxCLL"
    assert any("tone-mapped" in warning and "1000 cd/m2" in warning for warning in report.warnings)
    error = planes(target)[0].astype(np.int32) - wanted(source, "PQ", 1000)
    assert np.abs(error).max() <= TOLERANCE_CODES
    assert abs(error.mean()) < NV12_MEAN_CODES
    tags = read_tags(target).merged
    assert (tags.primaries, tags.transfer, tags.matrix, tags.hdr) == (1, 1, 1, None)


@pytest.mark.parametrize(
    ("clip", "peak", "origin"),
    [
        (HDR10, 1000, "MaxCLL"),
        (replace(HDR10, max_cll="0,0", mastering=P3_4000), 4000, "mastering display"),
        (replace(HDR10, max_cll=None, mastering=None), 1000, "default"),
        (replace(HDR10, max_cll="40,20"), 100, "MaxCLL"),
        (replace(HDR10, transfer=HLG, max_cll="4000,100"), 1000, "MaxCLL"),
        (replace(HDR10, transfer=HLG, max_cll=None, mastering=None), 1000, "default"),
    ],
)
def test_the_peak_is_the_first_that_is_stated(tmp_path: Path, clip: HdrClip, peak: float, origin: str) -> None:
    source = write_hdr(tmp_path / "source.mp4", clip)
    target = tmp_path / "out.mp4"

    report = export(source, target, ExportOptions(tone_map="bt2390", encoder=EXACT))

    assert (report.source_peak_cd_m2, report.source_peak_from) == (peak, origin)
    error = planes(target)[0].astype(np.int32) - wanted(source, "HLG" if clip.transfer == HLG else "PQ", peak)
    assert np.abs(error).max() <= TOLERANCE_CODES


def test_the_containers_boxes_have_the_peak_where_the_bitstream_has_none(tmp_path: Path) -> None:
    bare = write_hdr(tmp_path / "bare.mp4", replace(HDR10, max_cll=None, mastering=None))
    boxed = with_entry_boxes(bare, tmp_path / "boxed.mp4", mdcv_box(max_cd_m2=600))

    report = export(boxed, tmp_path / "out.mp4", ExportOptions(tone_map="bt2390"))

    assert (report.source_peak_cd_m2, report.source_peak_from) == (600, "mastering display")


@pytest.mark.parametrize(("form", "bits"), [("yuv444p12le", 12), ("yuv422p10le", 10), ("yuv420p", 8)])
def test_other_depths_and_chroma_are_taken(tmp_path: Path, form: str, bits: int) -> None:
    source = write_hdr(tmp_path / "source.mp4", replace(HDR10, form=form))
    target = tmp_path / "out.mp4"

    export(source, target, ExportOptions(tone_map="bt2390", encoder=EXACT))

    error = planes(target)[0].astype(np.int32) - wanted(source, "PQ", 1000, bits)
    assert np.abs(error).max() <= TOLERANCE_CODES


def test_chroma_that_the_stream_puts_on_the_upper_row_is_read_there(tmp_path: Path) -> None:
    """Type 2, which is what BT.2100 has and discs use."""
    source, target = write_hdr(tmp_path / "source.mp4", replace(HDR10, chroma_location=2)), tmp_path / "out.mp4"

    export(source, target, ExportOptions(tone_map="bt2390", encoder=EXACT))

    codes = HdrCodes(
        planes(source), 10, ColourSpec(MatrixCoefficients.BT2020), "PQ", "BT.2020", 1000, is_top_sited=True
    )
    want = rgb_to_nv12(np.floor(sdr_rgb(codes) * 255 + 0.5).astype(np.uint8), ColourSpec())[0]
    assert np.abs(planes(target)[0].astype(np.int32) - want).max() <= TOLERANCE_CODES
    report = validate_run(source, target, tone_map="bt2390", with_vmaf=False)
    assert report.passed, report.failures


def test_a_scene_a_size_and_a_gif_are_drawn_of_the_mapped_picture(tmp_path: Path) -> None:
    source = write_hdr(tmp_path / "source.mp4", HDR10)
    options = ExportOptions(scene="studio", width=128, height=72, tone_map="bt2390")

    report = export(source, tmp_path / "small.mp4", options)
    assert report.pipeline_bytes["tone-mapped picture"] == 8 * 256 * 144
    gif = export(source, tmp_path / "small.gif", options)

    assert report.tone_map == gif.tone_map == "bt2390"
    assert [plane.shape for plane in planes(tmp_path / "small.mp4")] == [(72, 128), (36, 64), (36, 64)]


def test_hdr_is_refused_unless_tone_mapping_is_asked_for(tmp_path: Path) -> None:
    source = write_hdr(tmp_path / "source.mp4", HDR10)

    refused = CliRunner().invoke(command_line.app, ["export", str(source), str(tmp_path / "out.mp4")])
    made = CliRunner().invoke(
        command_line.app,
        ["export", str(source), str(tmp_path / "out.mp4"), "--tone-map", "bt2390", "--json", str(tmp_path / "r.json")],
    )

    assert refused.exit_code == 2
    assert made.exit_code == 0
    assert "source peak of 1000 cd/m2 (MaxCLL)" in made.stdout
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["tone_map"] == "bt2390"


def test_an_sdr_source_is_not_mapped_and_the_report_says_so(tmp_path: Path) -> None:
    sdr = HdrClip(transfer=1, primaries=1, matrix=1, mastering=None, max_cll=None, frames=2)
    source = write_hdr(tmp_path / "source.mp4", sdr)

    report = export(source, tmp_path / "out.mp4", ExportOptions(tone_map="bt2390"))

    assert report.tone_map is None
    assert report.unmeasured["tone_map"] == "the source is SDR"
    assert any("nothing is mapped" in warning for warning in report.warnings)


@pytest.mark.parametrize("tone_map", [None, "bt2390"])
def test_dolby_vision_profile_5_is_refused_by_name(tmp_path: Path, tone_map: str | None) -> None:
    """It is untagged: without a look at its box it would be exported in the wrong colours."""
    untagged = HdrClip(transfer=2, primaries=2, matrix=2, mastering=None, max_cll=None, frames=2)
    bare = write_hdr(tmp_path / "bare.mp4", untagged)
    vision = with_entry_boxes(bare, tmp_path / "vision.mp4", box(b"dvcC", bytes([1, 0, 5 << 1, 0]) + bytes(20)))

    with pytest.raises(ColourError, match="Dolby Vision profile 5"):
        export(vision, tmp_path / "out.mp4", ExportOptions(tone_map=tone_map))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ExportOptions(tone_map="hable"), "bt2390"),
        (ExportOptions(tone_map="bt2390", colour=ColourSpec(MatrixCoefficients.BT2020)), "BT.709"),
        (ExportOptions(tone_map="bt2390", path="passthrough"), "tone-mapped"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, options: ExportOptions, words: str) -> None:
    source = write_hdr(tmp_path / "source.mp4", HDR10)

    with pytest.raises(InputError, match=words):
        export(source, tmp_path / "out.mp4", options)


def test_primaries_that_are_not_known_are_refused(tmp_path: Path) -> None:
    source = write_hdr(tmp_path / "source.mp4", replace(HDR10, primaries=11))

    with pytest.raises(ColourError, match="DCI-P3"):
        export(source, tmp_path / "out.mp4", ExportOptions(tone_map="bt2390"))


def test_the_floor_keeps_refusing_hdr(tmp_path: Path) -> None:
    """It draws nothing, so that nothing would be mapped."""
    source = write_hdr(tmp_path / "source.mp4", HDR10)

    with pytest.raises(ColourError, match="HDR"):
        floor_export(source, tmp_path / "out.mp4", ExportOptions(tone_map="bt2390"))
