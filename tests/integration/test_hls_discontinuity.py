"""A playlist that joins two recordings, as a recorder does that was paused."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from capbench.pipeline.export import export
from capbench.recordings import RecordingSpec
from capbench.recordings.marks import read_frame_number
from capbench.recordings.write import write_recording


def test_frames_after_a_discontinuity_are_exported(tmp_path: Path) -> None:
    for name, duration_s in (("a", 1), ("b", 0.5)):
        (tmp_path / name).mkdir()
        write_recording(RecordingSpec(name, 320, 180, 30, duration_s, "hls"), tmp_path / name / "playlist.m3u8")
    joined = tmp_path / "joined.m3u8"
    joined.write_text(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="a/init.mp4"\n#EXTINF:1.0,\na/segment000.m4s\n'
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="b/init.mp4"\n#EXTINF:0.5,\nb/segment000.m4s\n#EXT-X-ENDLIST\n'
    )

    export(joined, tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = [frame.to_ndarray()[: frame.height].astype(np.uint8) for frame in container.decode(video=0)]
    assert [read_frame_number(luma) for luma in frames] == [*range(30), *range(15)]
