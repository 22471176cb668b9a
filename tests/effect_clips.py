"""Outputs in looks that are known: frames of a synthetic recording, composed by the float64 oracle and encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.oracle.composition import compose
from capbench.quality.oracle.placement import place_recording
from capbench.quality.oracle.sampling import sample_rgb
from capbench.quality.reading.planes import Planes, as_frame
from capbench.recordings.recording_planes import RecordingPlanes
from capbench.recordings.screen import Screen
from capbench.recordings.spec import RecordingSpec

__all__ = ["composed", "encoded", "recorded"]


def recorded(spec: RecordingSpec, frame: int) -> Planes:
    """A frame of a recording."""
    half = (spec.height // 2, spec.width // 2)
    onto = RecordingPlanes(
        np.zeros((spec.height, spec.width), np.uint8), np.zeros(half, np.uint8), np.zeros(half, np.uint8)
    )
    Screen(spec).draw(frame, onto)
    return Planes(onto.luma, onto.cb, onto.cr)


def composed(scene: Scene, recording: Planes, canvas: tuple[int, int], time_s: float) -> Planes:
    """A frame of an output of a scene without layers, of that width and height."""
    height, width = recording.luma.shape
    place = place_recording(
        scene.display, scene.zoom, shown=(float(width), float(height)), canvas=canvas, time_s=time_s
    )
    left, top, right, bottom = scene.display.crop
    x, y = (np.arange(side) + 0.5 for side in canvas)
    shown = sample_rgb(
        recording.all,
        ColourSpec(),
        columns=(left + (x - place.left) / place.width * (1 - left - right)) * width - 0.5,
        rows=(top + (y - place.top) / place.height * (1 - top - bottom)) * height - 0.5,
        chroma_place=(-0.5, 0.0),
    )
    rgb = compose(scene, shown, place, canvas)
    luma, chroma = rgb_to_nv12(np.floor(rgb * 255 + 0.5).clip(0, 255).astype(np.uint8), ColourSpec())
    return Planes(luma, chroma[..., 0].copy(), chroma[..., 1].copy())


def encoded(path: Path, frames: Iterator[Planes], *, sound_of: Path, crf: int = 18, rate: int = 30) -> Path:
    """A file of those frames, tagged BT.709 limited, with the sound of another file."""
    with av.open(str(path), "w") as container, av.open(str(sound_of)) as other:
        sound = container.add_stream_from_template(other.streams.audio[0])
        stream = None
        for index, planes in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"})
                stream.height, stream.width = planes.luma.shape
                stream.pix_fmt = "yuv420p"
                codec = stream.codec_context
                codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
                codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            frame = as_frame(planes, index)
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
        for packet in other.demux(other.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                container.mux(packet)
    return path
