"""HDR files are compared with each other in their own codes, and what they say of themselves is compared too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.errors import ColourError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.expectation import Expectation
from capbench.quality.reading.tags import read_tags
from capbench.quality.validate import validate, validate_run
from capbench.results import CheckStatus, ValidationReport
from tests.hdr_clips import HLG, HdrClip, box, mdcv_box, with_entry_boxes, write_hdr

HDR10 = HdrClip()
SDR = HdrClip(transfer=1, primaries=1, matrix=1, mastering=None, max_cll=None)
BROADCAST = HdrClip(transfer=HLG, mastering=None, max_cll=None)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hdr(tmp_path_factory.mktemp("hdr") / "reference.mp4", HDR10)


def failures(report: ValidationReport) -> dict[str, str]:
    return {check.name: check.message for check in report.failures}


@pytest.mark.parametrize("clip", [HDR10, BROADCAST], ids=["HDR10", "HLG"])
def test_a_right_hdr_encode_passes(tmp_path: Path, clip: HdrClip) -> None:
    source = write_hdr(tmp_path / "source.mp4", clip)
    output = write_hdr(tmp_path / "output.mp4", replace(clip, qp=14))

    report = validate(source, output)

    assert failures(report) == {}
    psnr = report.metrics["psnr_y"].mean
    assert psnr is not None
    assert 45 < psnr < 70
    assert report.how_measured["psnr_y"] == "10 bits, 4:2:0"


def test_what_has_no_model_for_hdr_is_null_with_the_reason(tmp_path: Path, reference: Path) -> None:
    report = validate(reference, write_hdr(tmp_path / "output.mp4", replace(HDR10, qp=14)))

    for metric in ("vmaf", "ssim_y", "ssim_cb", "ffmpeg_ssim_y", "ciede2000"):
        assert metric not in report.metrics
        assert "PQ" in report.unmeasured[metric]
    assert {"psnr_y", "ffmpeg_psnr_y", "xpsnr_y"} <= set(report.metrics)


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        ({"transfer": 2}, "tags.transfer", "transfer lost: PQ"),
        ({"transfer": HLG}, "tags.transfer", "transfer changed: PQ in the reference, HLG"),
        ({"primaries": 1}, "tags.primaries", "primaries changed: BT.2020 in the reference, BT.709"),
        ({"primaries": 2}, "tags.primaries", "primaries lost: BT.2020"),
        ({"matrix": 1}, "tags.matrix", "matrix changed: BT.2020 in the reference, BT.709"),
        ({"mastering": None}, "tags.mastering", "lost"),
        (
            {"mastering": "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)"},
            "tags.mastering",
            "changed",
        ),
        (
            {"mastering": "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"},
            "tags.mastering",
            "0.0001 to 1000 cd/m2 in the reference",
        ),
        ({"max_cll": "4000,400"}, "tags.light", "MaxCLL 1000, MaxFALL 400 cd/m2 in the reference"),
        ({"max_cll": None}, "tags.light", "lost"),
        ({"form": "yuv420p"}, "picture.depth", "2 bits lost"),
        ({"full_range": True}, "colour.meaning", "limited range tagged full"),
    ],
)
def test_a_planted_fault_is_named(
    tmp_path: Path, reference: Path, fault: dict[str, object], check: str, words: str
) -> None:
    output = write_hdr(tmp_path / "output.mp4", replace(HDR10, qp=10, **fault))  # type: ignore[arg-type]

    found = failures(validate(reference, output, with_vmaf=False))

    assert words in found.get(check, ""), found


def test_metadata_that_the_reference_has_not_is_named(tmp_path: Path) -> None:
    bare = write_hdr(tmp_path / "bare.mp4", replace(HDR10, mastering=None, max_cll=None))
    output = write_hdr(tmp_path / "output.mp4", HDR10)

    found = failures(validate(bare, output, with_vmaf=False))

    assert "invented" in found["tags.mastering"]
    assert "invented" in found["tags.light"]


def test_metadata_of_the_container_counts_as_that_of_the_bitstream_does(tmp_path: Path, reference: Path) -> None:
    bare = write_hdr(tmp_path / "bare.mp4", replace(HDR10, mastering=None, max_cll=None, qp=8))
    clli = box(b"clli", (1000).to_bytes(2, "big") + (400).to_bytes(2, "big"))
    boxed = with_entry_boxes(bare, tmp_path / "boxed.mp4", mdcv_box(), clli)

    tags = read_tags(boxed)

    assert tags.bitstream_light.mastering is None
    assert tags.container_light is not None
    assert tags.container_light.mastering is not None
    assert tags.container_light.mastering.max_cd_m2 == pytest.approx(1000)
    assert failures(validate(reference, boxed, with_vmaf=False)) == {}


def test_containers_and_bitstreams_that_disagree_are_named(tmp_path: Path, reference: Path) -> None:
    boxed = with_entry_boxes(reference, tmp_path / "boxed.mp4", mdcv_box(max_cd_m2=4000))

    found = failures(validate(reference, boxed, with_vmaf=False))

    assert "0.0001 to 4000 cd/m2" in found["tags.agree"]


def test_matroska_keeps_what_mp4_says(tmp_path: Path, reference: Path) -> None:
    output = write_hdr(tmp_path / "output.mkv", replace(HDR10, qp=8))

    assert failures(validate(reference, output, with_vmaf=False)) == {}


@pytest.mark.parametrize("sdr_first", [True, False])
def test_sdr_against_hdr_is_refused_by_name(tmp_path: Path, reference: Path, *, sdr_first: bool) -> None:
    sdr = write_hdr(
        tmp_path / "sdr.mp4", replace(HDR10, transfer=1, primaries=1, matrix=1, mastering=None, max_cll=None)
    )
    pair = (sdr, reference) if sdr_first else (reference, sdr)

    with pytest.raises(ColourError, match=r"HDR \(PQ\)"):
        validate(*pair)
    answer = CliRunner().invoke(command_line.app, ["validate", *map(str, pair)])
    assert answer.exit_code == 2


def test_sdr_has_no_hdr_to_lose(tmp_path: Path) -> None:
    sdr = write_hdr(
        tmp_path / "sdr.mp4", replace(HDR10, transfer=1, primaries=1, matrix=1, mastering=None, max_cll=None)
    )

    report = validate(sdr, sdr, with_vmaf=False)

    checks = {check.name: check.status for check in report.checks}
    for name in ("tags.transfer", "tags.primaries", "tags.matrix", "tags.mastering", "tags.light"):
        assert checks[name] is CheckStatus.NOT_APPLICABLE
    assert "ssim_y" in report.metrics


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("clip", [HDR10, BROADCAST, replace(HDR10, form="yuv444p12le")], ids=["PQ", "HLG", "4:4:4"])
def test_a_tone_mapped_export_is_compared_with_what_the_oracle_makes_of_the_source(
    tmp_path: Path, clip: HdrClip
) -> None:
    source = write_hdr(tmp_path / "source.mp4", clip)
    output = tmp_path / "output.mp4"
    export(source, output, ExportOptions(path="gpu", tone_map="bt2390", encoder=EncoderSettings(qp=8)))

    plain = validate_run(source, output, tone_map="bt2390", with_vmaf=False)
    by_hand = validate(source, output, expected=Expectation(tone_map="bt2390"), with_vmaf=False)

    for report in (plain, by_hand):
        assert failures(report) == {}
        psnr = report.metrics["psnr_y"].mean
        assert psnr is not None
        assert psnr > 48
        assert "ssim_y" in report.metrics


@pytest.mark.usefixtures("gpu")
def test_a_scene_of_a_tone_mapped_source_is_compared_with_its_rendering(tmp_path: Path) -> None:
    source, output = write_hdr(tmp_path / "source.mp4", HDR10), tmp_path / "output.mp4"
    export(source, output, ExportOptions(scene="studio", tone_map="bt2390", encoder=EncoderSettings(qp=8)))

    report = validate_run(source, output, scene="studio", tone_map="bt2390", with_vmaf=False)

    assert failures(report) == {}


@pytest.mark.usefixtures("gpu")
def test_another_peak_is_another_picture(tmp_path: Path, reference: Path) -> None:
    """An exporter that takes a source of 1000 cd/m2 for one of 4000 makes it too dark."""
    source, output = write_hdr(tmp_path / "bright.mp4", replace(HDR10, max_cll="4000,400")), tmp_path / "output.mp4"
    export(source, output, ExportOptions(path="gpu", tone_map="bt2390", encoder=EncoderSettings(qp=8)))

    found = failures(validate(reference, output, expected=Expectation(tone_map="bt2390"), with_vmaf=False))

    assert "colour.meaning" in found
