"""A real hardware decoder: its pictures are those of the software decoder, sample for sample.

Skips with the driver's reason where no device decodes; llvmpipe is none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capbench.pipeline.decode.choose_decoder import DecoderChoice, choose_decoder
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.source_colour import DeclaredColour, PlanarConverter, frame_colour
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.results.path_names import HARDWARE_DECODERS
from tests.integration.test_hardware_decoder import FRAMES, write_clip

CLIPS = {
    "h264": ("libx264", "yuv420p", (320, 180)),
    "hevc": ("libx265", "yuv420p", (320, 180)),
    "hevc 10 bit": ("libx265", "yuv420p10le", (320, 180)),
    "h264 cropped": ("libx264", "yuv420p", (322, 182)),  # coded as 336x192
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    codec, pixel_format, size = CLIPS[request.param]
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", size=size, pixel_format=pixel_format, codec=codec)


@pytest.fixture(scope="module")
def choice(clip: Path) -> DecoderChoice:
    """The first hardware decoder that takes the clip."""
    tried = [choose_decoder(name, probe_source(clip)) for name in HARDWARE_DECODERS]
    found = next((choice for choice in tried if choice.is_hardware), None)
    if found is None:
        pytest.skip("; ".join(reason for choice in tried for reason in choice.fallbacks))
    return found


def test_pictures_are_those_of_the_software_decoder(clip: Path, choice: DecoderChoice) -> None:
    assert not any("differ" in warning for warning in choice.warnings)
    compared = 0
    pairs = zip(
        read_frames(clip, warn=pytest.fail),
        read_frames(clip, warn=pytest.fail, threads=1, decoder=choice.used),
        strict=True,
    )
    for want, got in pairs:
        assert (got.pts, got.time_base) == (want.pts, want.time_base)
        colour = frame_colour(clip, want, DeclaredColour())
        planar = PlanarConverter().convert(got, want.format.name, (want.width, want.height), colour)
        for mine, its in zip(want.planes, planar.planes, strict=True):
            np.testing.assert_array_equal(plane_samples(its), plane_samples(mine))
        compared += 1
    assert compared == FRAMES


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["passthrough", "cpu", "gpu", "gpu-fused"])
def test_exports_are_those_of_the_software_decoder(
    clip: Path, choice: DecoderChoice, tmp_path: Path, path: str
) -> None:
    for decoder in ("software", choice.used):
        options = ExportOptions(path=path, encoder=EncoderSettings(preset="ultrafast", qp=0), decoder=decoder)
        report = export(clip, tmp_path / f"{decoder}.mp4", options)
        assert report.decoder_used == decoder

    assert (tmp_path / f"{choice.used}.mp4").read_bytes() == (tmp_path / "software.mp4").read_bytes()
