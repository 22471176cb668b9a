"""The floor of a case: the source in other bytes, shown as the source is shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, floor_export
from capbench.quality.validate import validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.selftest.reencode import Remake, remake

NEAR_LOSSLESS = ExportOptions(scene="studio", encoder=EncoderSettings(qp=8, preset="ultrafast"))


@pytest.fixture(scope="module")
def recording() -> Path:
    """A short synthetic recording with sound."""
    return make_recording(RecordingSpec("floor", 320, 180, 30, 1.0))


@pytest.mark.parametrize("counter_clockwise_degrees", [90, 180, 270])
def test_a_turned_source_stays_turned(counter_clockwise_degrees: int, recording: Path, tmp_path: Path) -> None:
    """Without its display matrix the floor lies on its side, and a matrix over a phone's video fails as a whole."""
    source = remake(recording, tmp_path / "turned.mp4", Remake(rotation_degrees=counter_clockwise_degrees, qp=8))
    output = tmp_path / "floor.mp4"

    floor_export(source, output, NEAR_LOSSLESS)

    assert probe_source(output).rotation_degrees == probe_source(source).rotation_degrees != 0
    report = validate_run(source, output)
    assert report.passed, report.failures


def test_pixels_that_are_not_square_stay_so(recording: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "stretched.mp4", tmp_path / "floor.mp4"
    with av.open(str(recording)) as reader, av.open(str(source), "w") as writer:
        stream = writer.add_stream("libx264", rate=30, options={"qp": "8"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for frame in reader.decode(video=0):
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))

    floor_export(source, output, NEAR_LOSSLESS)

    assert probe_source(output).pixel_aspect == Fraction(4, 3)
    assert (probe_source(output).width, probe_source(output).height) == (320, 180)
    report = validate_run(source, output)
    assert report.passed, report.failures
