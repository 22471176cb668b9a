"""Hardware decoders: which one is taken, why another one is not, and what an export makes of its frames.

Nothing here needs such hardware; `tests/gpu/test_hardware_pictures.py` does.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from capbench.errors import InputError, PipelineError
from capbench.pipeline.conversion.registry import FLOOR
from capbench.pipeline.decode import video
from capbench.pipeline.decode.choose_decoder import choose_decoder
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.decoder_device import offered_devices
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export, floor_export
from capbench.pipeline.job import prepare
from capbench.pipeline.memory_plan import estimated_bytes
from capbench.recordings import RecordingSpec
from capbench.recordings.write import write_recording
from capbench.results import RunResult
from capbench.results.path_names import DECODERS, HARDWARE_DECODERS
from tests.integration.fake_device import FakeDevice

LOSSLESS = EncoderSettings(preset="ultrafast", qp=0)
FRAMES = 24


def write_clip(
    path: Path, *, size: tuple[int, int] = (192, 108), pixel_format: str = "yuv420p", codec: str = "libx264"
) -> Path:
    """Moving noise, an intra picture every eight, with B-frames."""
    rng = np.random.default_rng(5)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.gop_size = 8
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1  # what the output is to be
        stream.codec_context.options = {"x265-params": "log-level=error"} if codec == "libx265" else {}
        sample_bytes = 2 if "10" in pixel_format else 1
        frame = av.VideoFrame(*size, pixel_format)
        for plane in frame.planes:
            samples = plane_samples(plane, sample_bytes).view("<u2" if sample_bytes == 2 else np.uint8)
            samples[:] = rng.integers(64, 940 if sample_bytes == 2 else 235, samples.shape)
        for number in range(FRAMES):
            luma = plane_samples(frame.planes[0], sample_bytes)
            luma[:] = np.roll(luma, 2 * sample_bytes, axis=1)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def damaged_copy(source: Path, target: Path, packet: int) -> Path:
    """The same file with the middle of one packet, counted from 0, overwritten."""
    with av.open(source) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(source.read_bytes())
    position, size = packets[packet]
    assert position is not None
    data[position + size // 3 : position + size // 2] = bytes(size // 2 - size // 3)
    target.write_bytes(data)
    return target


def pictures(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [frame.reformat(format="yuv420p").to_ndarray().tobytes() for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.mark.parametrize("path", [FLOOR, "passthrough", "cpu", "gpu", "gpu-fused"])
def test_every_path_makes_the_same_file_of_a_devices_frames(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, path: str
) -> None:
    """NV12 from the device instead of three planes: same pictures, same tags, same bytes."""
    if path in ("cpu", "gpu", "gpu-fused"):
        request.getfixturevalue("gpu")
    device = FakeDevice()
    device.install(monkeypatch)
    reports = []
    for decoder in ("software", "vaapi"):
        options = ExportOptions(path=None if path == FLOOR else path, encoder=LOSSLESS, decoder=decoder)
        make = floor_export if path == FLOOR else export
        reports.append(make(clip, tmp_path / f"{decoder}.mp4", options))

    assert [(r.decoder_requested, r.decoder_used) for r in reports] == [("software",) * 2, ("vaapi",) * 2]
    assert device.opened == ["vaapi", "vaapi"]  # tried, then used
    assert reports[1].frames == FRAMES
    assert reports[1].path_used == path
    assert reports[1].fallbacks == ()
    if path in (FLOOR, "passthrough"):
        assert pictures(tmp_path / "vaapi.mp4") == pictures(clip)
    assert (tmp_path / "vaapi.mp4").read_bytes() == (tmp_path / "software.mp4").read_bytes()


def test_planar_only_encoder_gets_the_same_samples(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libx265 takes no NV12; a GIF goes through a filter of its own."""
    FakeDevice().install(monkeypatch)
    for name, encoder in (("out.mp4", EncoderSettings("libx265", preset="ultrafast", qp=4)), ("out.gif", LOSSLESS)):
        made = []
        for decoder in ("software", "cuda"):
            target = tmp_path / f"{decoder}-{name}"
            export(clip, target, ExportOptions(path="passthrough", encoder=encoder, decoder=decoder))
            made.append(target.read_bytes())
        assert made[0] == made[1]


def test_ten_bits_become_the_same_eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_clip(tmp_path / "ten.mp4", pixel_format="yuv420p10le", codec="libx265")
    FakeDevice(pixel_format="p010le").install(monkeypatch)

    choice = choose_decoder("auto", probe_source(source))
    for decoder in ("software", "vaapi"):
        options = ExportOptions(path="passthrough", encoder=LOSSLESS, decoder=decoder)
        export(source, tmp_path / f"{decoder}.mp4", options)

    assert (choice.used, choice.planar_format) == ("vaapi", "yuv420p")
    assert (tmp_path / "vaapi.mp4").read_bytes() == (tmp_path / "software.mp4").read_bytes()


def test_report_says_what_a_device_conceals_and_takes_no_threads(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeDevice().install(monkeypatch)
    options = ExportOptions(path="passthrough", encoder=LOSSLESS, decoder="auto")
    report = export(clip, tmp_path / "out.mp4", options)

    assert (report.decoder_requested, report.decoder_used) == ("auto", "vaapi")
    assert report.decoder_threads is None
    assert "vaapi" in report.unmeasured["decoder_threads"]
    assert any("conceals damage" in warning for warning in report.warnings)
    software = export(clip, tmp_path / "out.mp4", ExportOptions(path="passthrough", encoder=LOSSLESS))
    assert software.warnings == ()
    # What a device's driver takes does not follow from threads of ours.
    on_device = estimated_bytes(prepare(clip, tmp_path / "a.mp4", options), "passthrough")["decoder (estimate)"]
    plain = estimated_bytes(prepare(clip, tmp_path / "a.mp4", ExportOptions(decoder_threads=1)), "passthrough")
    assert on_device > 10 * plain["decoder (estimate)"]


@pytest.mark.parametrize("decoder", [name for name in HARDWARE_DECODERS if name not in offered_devices()])
def test_device_that_ffmpeg_was_not_built_for_gives_way_to_software(clip: Path, tmp_path: Path, decoder: str) -> None:
    """PyAV takes a name that it does not know for any device that there is."""
    options = ExportOptions(path="passthrough", encoder=LOSSLESS, decoder=decoder)
    report = export(clip, tmp_path / "out.mp4", options)

    assert (report.decoder_requested, report.decoder_used) == (decoder, "software")
    (reason,) = report.fallbacks
    assert decoder in reason
    assert "not part of this build of FFmpeg" in reason
    assert pictures(tmp_path / "out.mp4") == pictures(clip)


def test_missing_driver_is_named_in_one_line(clip: Path, tmp_path: Path) -> None:
    if "cuda" not in offered_devices():
        pytest.skip("this FFmpeg was built without CUDA")
    if choose_decoder("cuda", probe_source(clip)).is_hardware:
        pytest.skip("this machine has CUDA")
    for decoder in ("cuda", "auto"):
        report = export(
            clip, tmp_path / "out.mp4", ExportOptions(path="passthrough", encoder=LOSSLESS, decoder=decoder)
        )
        (reason,) = report.fallbacks
        assert report.decoder_used == "software"
        assert "cuda" in reason
        assert "\n" not in reason
        assert "Operation not permitted" not in reason  # FFmpeg's code for a library that is not there


def test_unknown_decoder_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nvdec") as caught:
        export(clip, tmp_path / "out.mp4", ExportOptions(decoder="nvdec"))
    assert all(name in str(caught.value) for name in DECODERS)


def test_wrong_pictures_are_said_and_not_taken_by_auto(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeDevice(luma_error_codes=2).install(monkeypatch)
    asked, automatic = (choose_decoder(name, probe_source(clip)) for name in ("vaapi", "auto"))

    assert asked.used == "vaapi"
    assert any("2 codes" in warning for warning in asked.warnings)
    assert automatic.used == "software"
    assert "2 codes" in automatic.fallbacks[0]


@pytest.mark.parametrize(
    "device", [FakeDevice(size=(192, 112)), FakeDevice(fails_at=0), FakeDevice(fails_at=2)], ids=["size", "0", "2"]
)
@pytest.mark.parametrize("asked", ["vaapi", "auto"])
def test_device_that_cannot_take_the_source_gives_way(
    clip: Path, monkeypatch: pytest.MonkeyPatch, device: FakeDevice, asked: str
) -> None:
    device.install(monkeypatch)
    choice = choose_decoder(asked, probe_source(clip))

    assert choice.used == "software"
    assert choice.planar_format is None
    assert len(choice.fallbacks) == 1


def test_auto_takes_software_where_the_beginning_is_damaged(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device would decode it and say nothing, as the fake does."""
    device = FakeDevice()
    device.install(monkeypatch)
    source = probe_source(damaged_copy(clip, tmp_path / "damaged.mp4", packet=3))
    automatic, asked = choose_decoder("auto", source), choose_decoder("vaapi", source)

    assert automatic.used == "software"
    assert "damaged" in automatic.fallbacks[0]
    assert asked.used == "vaapi"
    assert any("damaged" in warning for warning in asked.warnings)
    # FFmpeg's frame threads lose the mark of some pictures that they patched up.
    options = ExportOptions(path="passthrough", decoder="auto", decoder_threads=1, encoder=LOSSLESS)
    report = export(source.path, tmp_path / "out.mp4", options)
    assert any("is damaged" in warning for warning in report.warnings)


def test_salvage_needs_a_decoder_that_reports_damage(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FakeDevice()
    device.install(monkeypatch)
    options = ExportOptions(path="passthrough", encoder=LOSSLESS, decoder="vaapi", salvage=True)
    report = export(clip, tmp_path / "out.mp4", options)

    assert report.decoder_used == "software"
    assert "--salvage" in report.fallbacks[0]
    assert device.opened == []


def test_every_part_of_a_playlist_is_decoded_by_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_recording(RecordingSpec(name, 320, 180, 30, 0.5, "hls"), tmp_path / name / "playlist.m3u8")
    joined = tmp_path / "joined.m3u8"
    joined.write_text(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="a/init.mp4"\n#EXTINF:0.5,\na/segment000.m4s\n'
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="b/init.mp4"\n#EXTINF:0.5,\nb/segment000.m4s\n#EXT-X-ENDLIST\n'
    )
    device = FakeDevice()
    device.install(monkeypatch)
    for decoder in ("software", "vaapi"):
        options = ExportOptions(path="passthrough", encoder=LOSSLESS, decoder=decoder)
        assert export(joined, tmp_path / f"{decoder}.mp4", options).frames == 30

    assert (tmp_path / "vaapi.mp4").read_bytes() == (tmp_path / "software.mp4").read_bytes()
    assert len(device.opened) == 4  # tried, looked into for its parts, and each part

    # A device that takes the first part and not the second.
    device.opened.clear()
    monkeypatch.setattr(video, "is_on_device", lambda _: len(device.opened) < 4)
    with pytest.raises(PipelineError, match="--decoder software") as caught:
        export(joined, tmp_path / "out.mp4", options)
    assert caught.value.frame == 15


def test_device_that_fails_on_the_way_ends_the_export(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of its pictures are encoded by then: to go on with software would hide that the device cannot do it."""
    FakeDevice(fails_at=11).install(monkeypatch)
    with pytest.raises(PipelineError, match="--decoder software") as caught:
        export(clip, tmp_path / "out.mp4", ExportOptions(path="passthrough", encoder=LOSSLESS, decoder="vaapi"))

    assert (caught.value.stage, caught.value.frame) == ("decode", 11)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("requested", "used", "counts"),
    [
        ("software", "software", True),
        ("cuda", "cuda", True),
        ("auto", "cuda", True),
        ("auto", "software", True),
        ("cuda", "software", False),
        (None, None, True),
    ],
)
def test_run_by_another_decoder_measures_nothing_that_was_asked(
    requested: str | None, used: str | None, *, counts: bool
) -> None:
    run = RunResult(case="c", subject="s", block=0, decoder_requested=requested, decoder_used=used)
    assert run.ran_as_requested is counts
