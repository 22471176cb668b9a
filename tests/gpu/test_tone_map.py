"""HDR frames drawn as SDR, against float64 from the recommendations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.compositor.tone_map_pass import ToneMapPass
from capbench.pipeline.contact_sheet import read_rgb
from capbench.pipeline.decode.hdr.hdr_source import HdrSource, SourcePeak
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.decode.source_colour import DeclaredColour
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.scene import Scene
from capbench.quality.oracle.tone_mapping import HdrCodes, sdr_rgb

SIZE = (192, 108)
SPEC = ColourSpec(MatrixCoefficients.BT2020, Range.LIMITED, ChromaSiting.LEFT)
TOLERANCE_CODES = 1
"""The oracle rounds float64 and the pass float32, through half floats of 11 bits, a tenth of a code: beside a half they
round apart."""
DARK_CODES, DARK_TOLERANCE_CODES = 8, 2
"""At the border of BT.709 a component is a difference of larger ones, good to 1e-6 in float32, and the 2.4th root of
that is a code."""
SHARE_EXACT = 0.97
MEAN_CODES = 0.02


def source(form: str, spec: ColourSpec, hdr: HdrSource) -> SourceInfo:
    return SourceInfo(
        path=Path("synthetic"),
        width=SIZE[0],
        height=SIZE[1],
        rotation_degrees=0,
        pixel_aspect=Fraction(1),
        frame_rate=Fraction(30),
        time_base=Fraction(1, 30),
        start_s=Fraction(0),
        duration_s=None,
        frame_count_claimed=0,
        colour=spec,
        declared_colour=DeclaredColour(),
        planar_format=form,
        audio_streams=0,
        audio_start_s=None,
        hdr=hdr,
    )


def colourful_frame(form: str) -> av.VideoFrame:
    """From black to beyond any peak, with colours that BT.709 has and some that it has not."""
    frame = av.VideoFrame(*SIZE, form)
    bits = frame.format.components[0].bits
    for number, plane in enumerate(frame.planes):
        y, x = np.mgrid[: plane.height, : plane.width].astype(np.float64)
        across, down = x / plane.width, y / plane.height
        values = 0.05 + 0.85 * across if number == 0 else 0.5 + 0.25 * np.sin(5 * down + 2 * number) * (1 - across / 2)
        padded = np.zeros((plane.height, plane.line_size // 2), "<u2")
        padded[:, : plane.width] = np.floor(values * (1 << bits))
        plane.update(padded.tobytes())
    return frame


def samples(frame: av.VideoFrame) -> list[NDArray[np.uint16]]:
    return [
        np.frombuffer(bytes(plane), "<u2").reshape(plane.height, -1)[:, : plane.width].astype(np.uint16)
        for plane in frame.planes
    ]


def drawn(gpu: GpuContext, frame: av.VideoFrame, info: SourceInfo) -> NDArray[np.uint8]:
    assert info.hdr is not None
    uploader = PlaneUploader(gpu, info.planes, 2)
    tone_map = ToneMapPass(gpu, uploader, info, info.hdr)
    compositor = Compositor(gpu, tone_map, CanvasSize(*SIZE), Scene(), tone_map.shown)
    picture = compositor.picture
    encoder = gpu.device.create_command_encoder()
    uploader.record(frame, encoder)
    tone_map.record(encoder)
    compositor.prepare(encoder, 0.0)
    compositor.draw(encoder)
    gpu.device.queue.submit([encoder.finish()])
    uploader.submitted()
    return read_rgb(gpu, picture)


def wanted(frame: av.VideoFrame, info: SourceInfo) -> NDArray[np.float64]:
    assert info.hdr is not None
    hdr = info.hdr
    light = (hdr.transfer, hdr.primaries, hdr.peak.cd_m2)
    codes = HdrCodes(samples(frame), hdr.bits, info.colour, *light, is_top_sited=hdr.is_top_sited)
    return np.floor(sdr_rgb(codes) * 255 + 0.5)


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
@pytest.mark.parametrize(
    ("form", "spec", "primaries", "peak"),
    [
        ("yuv420p10le", SPEC, "BT.2020", 1000.0),
        ("yuv420p10le", replace(SPEC, siting=ChromaSiting.CENTRE), "BT.2020", 4000.0),
        ("yuv420p12le", SPEC, "Display P3", 600.0),
        ("yuv422p10le", replace(SPEC, range=Range.FULL), "BT.2020", 10000.0),
        ("yuv444p12le", replace(SPEC, range=Range.FULL), "BT.709", 100.0),
        ("yuv444p10le", replace(SPEC, matrix=MatrixCoefficients.BT709), "BT.2020", 203.0),
    ],
)
def test_the_pass_agrees_with_the_oracle(
    gpu: GpuContext, *, transfer: str, form: str, spec: ColourSpec, primaries: str, peak: float
) -> None:
    frame = colourful_frame(form)
    bits = frame.format.components[0].bits
    info = source(form, spec, HdrSource(transfer, primaries, bits, SourcePeak(peak, "MaxCLL")))

    want = wanted(frame, info)
    error = drawn(gpu, frame, info) - want

    assert np.abs(error[want >= DARK_CODES]).max() <= TOLERANCE_CODES
    assert np.abs(error).max() <= DARK_TOLERANCE_CODES
    assert np.mean(error == 0) >= SHARE_EXACT
    assert abs(error.mean()) <= MEAN_CODES


def test_chroma_on_the_upper_row_is_read_there(gpu: GpuContext) -> None:
    frame = colourful_frame("yuv420p10le")
    hdr = HdrSource("PQ", "BT.2020", 10, SourcePeak(1000.0, "MaxCLL"), is_top_sited=True)
    info = source("yuv420p10le", SPEC, hdr)

    picture = drawn(gpu, frame, info)

    error = np.abs(picture - wanted(frame, info))
    assert error.max() <= DARK_TOLERANCE_CODES
    assert np.mean(error == 0) >= SHARE_EXACT
    assert np.mean(picture == wanted(frame, replace(info, hdr=replace(hdr, is_top_sited=False)))) < np.mean(error == 0)


def test_another_siting_or_another_peak_is_another_picture(gpu: GpuContext) -> None:
    """So that the test above cannot pass by a picture that shows nothing."""
    frame = colourful_frame("yuv420p10le")
    hdr = HdrSource("PQ", "BT.2020", 10, SourcePeak(1000.0, "MaxCLL"))
    info = source("yuv420p10le", SPEC, hdr)
    others = [
        replace(info, colour=replace(SPEC, siting=ChromaSiting.CENTRE)),
        replace(info, hdr=replace(hdr, peak=SourcePeak(800.0, "MaxCLL"))),
        replace(info, hdr=replace(hdr, transfer="HLG")),
        replace(info, hdr=replace(hdr, primaries="Display P3")),
    ]

    picture = drawn(gpu, frame, info)

    for other in others:
        error = np.abs(picture - wanted(frame, other))
        assert error.max() > DARK_TOLERANCE_CODES
        assert np.mean(error == 0) < SHARE_EXACT or other is others[0]
