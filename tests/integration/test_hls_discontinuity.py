"""A playlist that joins two recordings, as a recorder does that was paused."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from capbench.errors import DamagedStreamError
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.validate import validate
from capbench.recordings import RecordingSpec
from capbench.recordings.marks import read_frame_number
from capbench.recordings.write import write_recording
from capbench.results import CheckStatus


@pytest.mark.parametrize("by_master", [False, True], ids=["media playlist", "master"])
def test_frames_after_a_discontinuity_are_exported(by_master: bool, tmp_path: Path) -> None:
    for name, duration_s in (("a", 1), ("b", 0.5)):
        (tmp_path / name).mkdir()
        write_recording(RecordingSpec(name, 320, 180, 30, duration_s, "hls"), tmp_path / name / "playlist.m3u8")
    joined = tmp_path / "joined.m3u8"
    joined.write_text(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="a/init.mp4"\n#EXTINF:1.0,\na/segment000.m4s\n'
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="b/init.mp4"\n#EXTINF:0.5,\nb/segment000.m4s\n#EXT-X-ENDLIST\n'
    )

    master = tmp_path / "master.m3u8"
    master.write_text("#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=500000\njoined.m3u8\n" * 2)

    report = export(master if by_master else joined, tmp_path / "out.mp4")

    assert report.duration_s == pytest.approx(1.5)
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = container.streams.audio[0]
        assert float((sound.duration or 0) * (sound.time_base or 0)) > 1.45
        frames = [frame.to_ndarray()[: frame.height].astype(np.uint8) for frame in container.decode(video=0)]
    assert [read_frame_number(luma) for luma in frames] == [*range(30), *range(15)]


def test_picture_and_sound_stay_together_behind_a_discontinuity(tmp_path: Path) -> None:
    """The second part has to be moved by 37 ms, which is less than FFmpeg's filter corrects by itself."""
    plain = tmp_path / "plain.m3u8"
    write_recording(RecordingSpec("a", 320, 180, 30, 4, "hls"), plain)
    lines = plain.read_text().splitlines()
    begin = [line for line in lines if line.startswith("#EXT-X-MAP")]
    second = [number for number, line in enumerate(lines) if line.startswith("#EXTINF")][1]
    joined = tmp_path / "joined.m3u8"
    joined.write_text("\n".join([*lines[:second], "#EXT-X-DISCONTINUITY", *begin, *lines[second:], ""]))

    export(joined, tmp_path / "out.mp4", ExportOptions(encoder=EncoderSettings(preset="ultrafast", qp=10)))

    report = validate(joined, tmp_path / "out.mp4", with_vmaf=False)
    assert report.passed, [check.message for check in report.checks if check.status is CheckStatus.FAIL]
    sync = {check.name: check.status for check in report.checks if check.name in ("audio.offset", "audio.drift")}
    assert sync == {"audio.offset": CheckStatus.PASS, "audio.drift": CheckStatus.PASS}


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_a_segment_that_is_cut_short_is_damage_with_any_number_of_threads(threads: int, tmp_path: Path) -> None:
    """Frame threads hand the damage out at the end, where it gets lost; a playlist has no key frames to look for."""
    write_recording(RecordingSpec("a", 160, 90, 30, 1, "hls"), tmp_path / "playlist.m3u8")
    segment = tmp_path / "segment000.m4s"
    with av.open(str(tmp_path / "playlist.m3u8")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    last = segment.read_bytes().find(bytes(packets[12]))
    assert last > 0
    segment.write_bytes(segment.read_bytes()[: last + packets[12].size // 2])

    with pytest.raises(DamagedStreamError):
        list(read_frames(tmp_path / "playlist.m3u8", warn=lambda _line: None, threads=threads))
