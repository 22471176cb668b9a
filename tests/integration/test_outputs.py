"""What is in the file that an export writes, and what is refused before one is begun."""

from __future__ import annotations

import itertools
import math
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capbench.bitstream import chroma_location
from capbench.errors import CapbenchError, EncoderError, InputError, OutputError
from capbench.pipeline import stage_graph
from capbench.pipeline.encode.encoders import BITS_PER_PIXEL, EncoderSettings
from capbench.pipeline.encode.gif import DITHERS
from capbench.pipeline.encode.mp4 import SoundEncoder, VideoEncoder
from capbench.pipeline.export import ExportOptions, export, floor_export
from capbench.recordings import RecordingSpec, make_recording

FAST = ExportOptions(encoder=EncoderSettings(preset="ultrafast"))
NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("outputs", 320, 180, 30, 1))


@pytest.fixture(scope="module")
def ntsc() -> Path:
    return make_recording(RecordingSpec("ntsc", 320, 180, NTSC, 5))


def boxes(path: Path) -> list[str]:
    """Names of the top-level boxes in their order (ISO/IEC 14496-12, 4.2)."""
    data, names, at = path.read_bytes(), [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        names.append(name.decode())
        at += size if size != 1 else struct.unpack_from(">Q", data, at + 8)[0]
    return names


def video_of(path: Path) -> Any:
    """The video stream of a file, which stays open."""
    return av.open(str(path)).streams.video[0]


@pytest.mark.parametrize(("encoder", "codec", "tag"), [("libx264", "h264", "avc1"), ("libx265", "hevc", "hvc1")])
def test_mp4_is_ready_to_stream_and_tagged(encoder: str, codec: str, tag: str, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    report = export(recording, output, replace(FAST, encoder=replace(FAST.encoder, name=encoder)))

    names = boxes(output)
    assert names.index("moov") < names.index("mdat")
    stream = video_of(output)
    context = stream.codec_context
    assert (context.name, stream.codec_tag, report.encoder) == (codec, tag, encoder)
    assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
    assert (stream.codec_context.width, stream.codec_context.height) == (320, 180)
    # x264 does not write the default, which is left (H.264 annex E.2.1).
    assert chroma_location(codec, context.extradata) in (None, 0)
    assert len(list(stream.container.decode(stream))) == report.frames == 30


@pytest.mark.parametrize("fps", [None, NTSC])
def test_exact_rate_and_key_frames_every_two_seconds(fps: Fraction | None, ntsc: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    report = export(ntsc, output, replace(FAST, fps=fps))

    stream = video_of(output)
    packets: list[Any] = [packet for packet in stream.container.demux(stream) if packet.size]
    assert stream.average_rate == NTSC
    assert sorted(packet.pts * packet.time_base for packet in packets) == [n / NTSC for n in range(150)]
    assert {packet.duration * packet.time_base for packet in packets} == {1 / NTSC}
    assert report.frame_rate == "30000/1001"
    assert report.duration_s == pytest.approx(float(150 / NTSC))
    assert [packet.pts * packet.time_base for packet in packets if packet.is_keyframe] == [0, 60 / NTSC, 120 / NTSC]


def test_source_does_not_choose_the_frame_types(ntsc: Path, tmp_path: Path) -> None:
    """Decoded frames carry the type that they had; handed on, it would make every frame of this source a key frame."""
    intra, output = tmp_path / "intra.mp4", tmp_path / "out.mp4"
    with av.open(str(ntsc)) as container, av.open(str(intra), "w") as target:
        stream: Any = target.add_stream("libx264", rate=NTSC, options={"g": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number, frame in enumerate(container.decode(video=0)):
            if number < 10:
                target.mux(stream.encode(frame))
        target.mux(stream.encode(None))

    export(intra, output, FAST)

    stream = video_of(output)
    assert sum(packet.is_keyframe for packet in stream.container.demux(stream) if packet.size) == 1


def test_clips_shorter_than_what_x265_holds_back(tmp_path: Path) -> None:
    """Up to 4.2 it leaves their DTS to what its memory held before; memory is filled here, so that this shows."""
    for pictures in (1, 2, 3):
        with av.open(str(tmp_path / f"source{pictures}.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
            for number in range(pictures):
                frame = av.VideoFrame.from_ndarray(np.full((270, 320), 60 + 40 * number, np.uint8), format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    exports = (
        "from capbench.pipeline.export import ExportOptions, export\n"
        "from capbench.pipeline.encode.encoders import EncoderSettings\n"
        "for n in (1, 2, 3):\n"
        "    export(f'source{n}.mp4', f'out{n}.mp4', ExportOptions(encoder=EncoderSettings(name='libx265')))\n"
    )
    subprocess.run(
        [sys.executable, "-c", exports],
        check=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ | {"MALLOC_PERTURB_": "85"},
    )

    for pictures in (1, 2, 3):
        with av.open(str(tmp_path / f"out{pictures}.mp4")) as written:
            packets: list[Any] = [packet for packet in written.demux(video=0) if packet.size]
        tick = Fraction(1, 30) / packets[0].time_base
        times = sorted(packet.pts for packet in packets)
        decoded = [packet.dts for packet in packets]
        assert times == [number * tick for number in range(pictures)]
        assert all(early < late for early, late in itertools.pairwise(decoded))
        assert all(-2 * tick <= packet.dts <= packet.pts for packet in packets)


@pytest.mark.parametrize("quality", BITS_PER_PIXEL)
def test_quality_is_a_bit_rate(quality: str, ntsc: Path, tmp_path: Path) -> None:
    """Pixels x bits a pixel x frames a second, as the encoder's average over five seconds.

    Pixels of a picture of less than 480 lines count as the geometric mean of its own and those of 854x480.
    """
    output = tmp_path / "out.mp4"

    export(ntsc, output, replace(FAST, encoder=EncoderSettings(quality=quality)))

    stream = video_of(output)
    size_bytes = sum(packet.size for packet in stream.container.demux(stream))
    wanted_bytes = math.sqrt(320 * 180 * 854 * 480) * BITS_PER_PIXEL[quality] * 150 / 8
    # The encoder stays below where the picture needs less; above it may go by what its buffer of a second allows.
    assert size_bytes < 1.2 * wanted_bytes


@pytest.mark.parametrize("dither", ["sierra2_4a", "none", "bayer"])
def test_gif(dither: str, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.gif"
    counts: list[int] = []

    report = export(recording, output, replace(FAST, width=160, dither=dither), on_frame=counts.append)

    assert output.read_bytes()[:6] == b"GIF89a"
    stream = video_of(output)
    frames = list(stream.container.decode(stream))
    assert [frame.time for frame in frames] == pytest.approx([n / 20 for n in range(20)])
    assert counts == list(range(1, 21))
    assert (report.frames, report.frame_rate, report.encoder) == (20, "20", "gif")
    assert (report.width, report.height) == (160, 90)
    # One palette for the clip: 256 colours over all frames, one of them transparent.
    colours = np.concatenate([np.unique(f.to_ndarray(format="rgb24").reshape(-1, 3), axis=0) for f in frames])
    assert len(np.unique(colours, axis=0)) <= 256


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["cpu", "gpu"])
def test_gif_of_a_scene_keeps_its_colours(path: str, recording: Path, tmp_path: Path) -> None:
    """The same picture as an MP4 of the same scene, within what 256 colours can do: from RGBA, and from NV12."""
    means = []
    for name in ("out.gif", "out.mp4"):
        options = replace(FAST, scene="studio", fps=Fraction(10), dither="none", path=path)
        assert export(recording, tmp_path / name, options).path_used == path
        frame: Any = next(video_of(tmp_path / name).container.decode(video=0))
        rgb = frame.reformat(format="rgb24", src_colorspace="ITU709", dst_color_range="JPEG").to_ndarray()
        means.append(rgb.reshape(180, 320, 3).mean(axis=(0, 1)))

    assert np.abs(means[0] - means[1]).max() < 3


@pytest.mark.parametrize("fps", [Fraction(9), Fraction(31)])
def test_gif_rate_out_of_range_is_refused(fps: Fraction, recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be between 10 and 30"):
        export(recording, tmp_path / "out.gif", replace(FAST, fps=fps))


def test_unknown_dithering_names_the_known(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"unknown dithering 'mist'; available: {', '.join(DITHERS)}"):
        export(recording, tmp_path / "out.gif", replace(FAST, dither="mist"))


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        (EncoderSettings(name="h265"), EncoderError, "unknown encoder 'h265'"),
        (EncoderSettings(name="aac"), EncoderError, "aac does not encode video"),
        (EncoderSettings(quality="good"), InputError, "unknown quality 'good'; available: highest, high"),
        (EncoderSettings(preset="quick"), InputError, "unknown preset 'quick'; available: ultrafast"),
        (EncoderSettings(qp=52), InputError, "qp must be between 0 and 51, got 52"),
        (EncoderSettings(crf=-1), InputError, "crf must be between 0 and 51"),
    ],
)
def test_wrong_encoder_settings_are_refused_before_anything_is_written(
    settings: EncoderSettings, kind: type[CapbenchError], words: str, recording: Path, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        export(recording, tmp_path / "out.mp4", replace(FAST, encoder=settings))

    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_is_refused(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(recording.read_bytes())
    link = tmp_path / "link.mp4"
    link.symlink_to(copy)

    for output, kind, words in (
        (tmp_path / "folder.mp4", OutputError, "is a folder"),
        (tmp_path / "out.avi", InputError, "must be .mp4 or .gif"),
        (tmp_path / "absent" / "out.mp4", OutputError, "no such folder"),
        (copy, InputError, "are the same file"),
        (link, InputError, "are the same file"),
    ):
        with pytest.raises(kind, match=words) as caught:
            export(copy, output, FAST)
        assert caught.value.exit_code == 2
    assert copy.read_bytes() == recording.read_bytes()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root can write to")
def test_folder_that_cannot_be_written_to(recording: Path) -> None:
    with pytest.raises(OutputError, match="cannot write to /proc"):
        export(recording, Path("/proc/out.mp4"), FAST)


@pytest.mark.parametrize("odd", [1, 321])
def test_odd_output_size_is_refused(odd: int, recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"width must be even and between 2 and 8192, got {odd}"):
        export(recording, tmp_path / "out.mp4", replace(FAST, width=odd))


def test_same_bytes_whichever_thread_is_faster(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound and picture are encoded side by side; their packets meet in the file in one order."""
    outputs = [tmp_path / name for name in ("plain.mp4", "slow-picture.mp4", "slow-sound.mp4")]
    for output, owner in zip(outputs, (None, VideoEncoder, SoundEncoder), strict=True):
        with monkeypatch.context() as slowed:
            if owner is not None:
                original: Any = owner.encode

                def slow(*arguments: Any, encode: Any = original) -> Any:
                    time.sleep(0.01)
                    return encode(*arguments)

                slowed.setattr(owner, "encode", slow)
            report = export(recording, output, FAST)
        assert {"audio", "encode", "mux"} <= report.stages.keys()

    first, *others = (output.read_bytes() for output in outputs)
    assert others == [first, first]


@pytest.mark.parametrize(("picture_s", "sound_s"), [(0.2, 30), (12, 0.2)])
def test_picture_and_sound_of_very_different_lengths(
    picture_s: float, sound_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for one packet each, the longer one goes on behind the other's end."""
    monkeypatch.setattr(stage_graph, "PICTURE_PACKETS", 1)
    monkeypatch.setattr(stage_graph, "SOUND_PACKETS", 1)
    source, output = tmp_path / "source.mkv", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio: Any = container.add_stream("aac", rate=48_000, layout="stereo")
        for number in range(round(25 * picture_s)):
            picture = av.VideoFrame.from_ndarray(np.full((96, 64), 16 + number % 200, np.uint8), "yuv420p")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for number in range(round(48_000 * sound_s / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.pts, frame.sample_rate = 1024 * number, 48_000
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))

    report = export(source, output, replace(FAST, stall_timeout_s=20))

    assert report.frames == round(25 * picture_s)
    with av.open(str(output)) as container:
        length_s = max(float(stream.duration * stream.time_base) for stream in container.streams)  # type: ignore[operator]
    assert length_s == pytest.approx(max(picture_s, sound_s), abs=0.1)  # AAC pads to whole frames of 21 ms


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["gpu", "cpu", "passthrough"])
def test_no_encoder_draws_everything_and_writes_nothing(path: str, recording: Path, tmp_path: Path) -> None:
    counts: list[int] = []
    options = replace(FAST, path=path, encoder=EncoderSettings(name="none"))

    report = export(recording, None, options, on_frame=counts.append)

    assert (report.frames, report.encoder, report.path_used) == (30, "none", path)
    assert counts == list(range(1, 31))
    assert report.output_bytes is None
    assert report.unmeasured["output_bytes"] == "nothing is encoded"
    assert {"audio", "mux"}.isdisjoint(report.stages)
    if path != "passthrough":
        assert report.readback_bytes
    assert list(tmp_path.iterdir()) == []


def test_decoding_alone(recording: Path) -> None:
    report = floor_export(recording, None, replace(FAST, encoder=EncoderSettings(name="none")))

    assert (report.frames, report.path_used) == (30, "floor")


def test_output_and_no_encoder_exclude_each_other(recording: Path, tmp_path: Path) -> None:
    """What writes nothing must not pass for an export."""
    with pytest.raises(InputError, match=r"--encoder none writes nothing; omit .*"):
        export(recording, tmp_path / "out.mp4", replace(FAST, encoder=EncoderSettings(name="none")))
    with pytest.raises(InputError, match="no output was named"):
        export(recording, None, FAST)
    assert list(tmp_path.iterdir()) == []
