"""Encode a clip by an encoder's own program, which knows neither containers nor sound.

python -m tests.strangers.encoder_programs.run_encoder SOURCE OUTPUT SOUND MUXING... -- ENCODER OPTION...

Where {source} is among its options the encoder reads the source and knows its times; else FFmpeg hands the pictures
over as YUV4MPEG2, and mkvmerge is told their times by ffprobe. {stream} is what the encoder writes. mkvmerge adds the
sound: SOUND is `copied`, `none`, or FFmpeg's name of a codec to which the sound is encoded first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

_SUFFIXES = {
    "x265": ".hevc",
    "SvtAv1EncApp": ".ivf",
    "rav1e": ".ivf",
    "vpxenc": ".webm",
    "x264": ".mkv",
    "aomenc": ".ivf",
    "mpeg2enc": ".m2v",
}
_WARNED = 1
"""What mkvmerge ends with where it wrote the file and has something to say."""


def main() -> int:
    """Exit code of what failed, or 0."""
    source, output, sound, *rest = sys.argv[1:]
    split = rest.index("--")
    muxing, command = rest[:split], rest[split + 1 :]
    is_fed = not any("{source}" in word for word in command)
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / f"stream{_SUFFIXES[Path(command[0]).name]}"
        words = [word.replace("{stream}", str(stream)).replace("{source}", source) for word in command]
        if code := _feed(source, words) if is_fed else _run(words):
            return code
        heard: list[str | Path] = []
        if sound == "copied":
            heard = ["--no-video", source]
        elif sound != "none":
            heard = [Path(folder) / "sound.mka"]
            if code := _run(["ffmpeg", "-v", "error", "-i", source, "-map", "0:a", "-c:a", sound, heard[0]]):
                return code
        if is_fed:
            times = Path(folder) / "times.txt"
            times.write_text(_times(source), encoding="ascii")
            muxing = ["--timestamps", f"0:{times}", *muxing]
        code = _run(["mkvmerge", "-q", "-o", output, *muxing, stream, *heard])
    return 0 if code == _WARNED else code


def _run(words: Sequence[str | Path]) -> int:
    return subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode


def _feed(source: str, words: Sequence[str]) -> int:
    decode = ["ffmpeg", "-v", "error", "-i", source, "-map", "0:v:0", "-fps_mode", "passthrough"]
    decode += ["-f", "yuv4mpegpipe", "-strict", "-1", "-"]
    with subprocess.Popen(decode, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as decoder:
        assert decoder.stdout is not None
        encoded = subprocess.run(words, stdin=decoder.stdout, check=False).returncode
        decoder.stdout.close()  # an encoder that has ended early leaves a decoder that writes to nobody
    return encoded or decoder.returncode


def _times(source: str) -> str:
    """When each picture is shown, in mkvmerge's second format of times: milliseconds from the file's start on."""
    entries = "format=start_time:frame=best_effort_timestamp_time"
    ask = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", source]
    found = json.loads(subprocess.run(ask, capture_output=True, check=True).stdout)
    start_s = Fraction(found["format"]["start_time"])
    times_s = [Fraction(frame["best_effort_timestamp_time"]) - start_s for frame in found["frames"]]
    return "\n".join(["# timestamp format v2", *(f"{float(time_s) * 1e3:.6f}" for time_s in times_s)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
