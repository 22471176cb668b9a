"""Export a clip by a library for Python as its documentation shows it: `run_python_writer.py LIBRARY SOURCE OUTPUT`.

Needs nothing of this repository. `pyav` takes codec and options behind that, and keeps times, sound and colours.
The others write R'G'B' pictures at one rate; where a library has no sound, mkvmerge or
FFmpeg adds that of the source.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

_WARNED = 1
"""What mkvmerge ends with where it wrote the file and has something to say."""


def _pyav(source: str, output: str, codec: str, *options: str) -> int:
    import av
    from av.video.stream import VideoStream  # which PyAV 12 does not have at its top

    with av.open(source) as given, av.open(output, "w") as made:
        seen = given.streams.video[0]
        video = made.add_stream(codec, rate=seen.average_rate, options=dict(word.split("=") for word in options))
        assert isinstance(video, VideoStream)
        assert seen.pix_fmt is not None
        assert seen.time_base is not None
        video.width, video.height, video.pix_fmt = seen.width, seen.height, seen.pix_fmt
        video.codec_context.time_base = seen.time_base
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(video.codec_context, name, getattr(seen.codec_context, name))
        heard = given.streams.audio[0] if given.streams.audio else None
        audio = None if heard is None else made.add_stream("aac", rate=heard.rate, layout=heard.layout.name)
        for packet in given.demux([stream for stream in (seen, heard) if stream is not None]):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    frame.pict_type = 0  # else every picture becomes of the type that it had
                    made.mux(video.encode(frame))
                elif isinstance(frame, av.AudioFrame) and audio is not None:
                    made.mux(audio.encode(frame))
        for stream in (video, audio):
            if stream is not None:
                made.mux(stream.encode(None))
    return 0


def _imageio(source: str, output: str) -> int:
    import imageio

    reader = imageio.get_reader(source, "FFMPEG")
    known = reader.get_meta_data()
    sound = {"audio_path": source, "audio_codec": "aac"} if "audio_codec" in known else {}
    # By default sides are made multiples of 16.
    writer = imageio.get_writer(output, "FFMPEG", fps=known["fps"], quality=9, macro_block_size=2, **sound)
    for picture in reader.iter_data():
        writer.append_data(picture)
    writer.close()
    return 0


def _imageio_pyav(source: str, output: str) -> int:
    import av
    import imageio.v3

    with tempfile.TemporaryDirectory() as folder, av.open(source) as given:
        silent = str(Path(folder) / "silent.mkv")
        seen = given.streams.video[0]
        with imageio.v3.imopen(silent, "w", plugin="pyav") as made:
            made.init_video_stream("libx264", fps=float(seen.average_rate or 25), pixel_format="yuv420p")
            for frame in given.decode(seen):
                made.write_frame(frame.to_ndarray(format="rgb24"))
        return _add_lossless(silent, source, output)


def _mediapy(source: str, output: str) -> int:
    import mediapy  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        silent = Path(folder) / "silent.mp4"
        pictures = mediapy.read_video(source)
        mediapy.write_video(silent, pictures, fps=pictures.metadata.fps, crf=16)
        return _add_sound(silent, source, output)


def _ffpyplayer(source: str, output: str) -> int:
    import av
    from ffpyplayer.pic import Image  # type: ignore[import-not-found]
    from ffpyplayer.writer import MediaWriter  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder, av.open(source) as given:
        silent = str(Path(folder) / "silent.mkv")
        seen = given.streams.video[0]
        rate = seen.average_rate or Fraction(25)
        stream = {
            "pix_fmt_in": "rgb24",
            "pix_fmt_out": "yuv420p",
            "width_in": seen.width,
            "height_in": seen.height,
            "codec": "libx264",
            "frame_rate": (rate.numerator, rate.denominator),
        }
        writer = MediaWriter(silent, [stream], lib_opts={"crf": "18", "preset": "veryfast"})
        for number, frame in enumerate(given.decode(seen)):
            pixels = frame.to_ndarray(format="rgb24").tobytes()
            picture = Image(plane_buffers=[pixels], pix_fmt="rgb24", size=(seen.width, seen.height))
            writer.write_frame(img=picture, pts=float(number / rate), stream=0)
        writer.close()
        return _add_sound(silent, source, output)


def _ffmpegcv(source: str, output: str) -> int:
    import ffmpegcv  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        silent = str(Path(folder) / "silent.mp4")
        with ffmpegcv.VideoCapture(source) as pictures, ffmpegcv.VideoWriter(silent, "h264", pictures.fps) as writer:
            for picture in pictures:
                writer.write(picture)
        return _add_lossless(silent, source, output)


def _vidgear(source: str, output: str) -> int:
    import cv2  # type: ignore[import-not-found]
    from vidgear.gears import WriteGear  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        silent = str(Path(folder) / "silent.mp4")
        capture = cv2.VideoCapture(source)
        options = {"-input_framerate": capture.get(cv2.CAP_PROP_FPS), "-crf": 18, "-preset": "veryfast"}
        writer = WriteGear(output=silent, compression_mode=True, **options)
        while True:
            was_read, picture = capture.read()
            if not was_read:
                break
            writer.write(picture)
        writer.close()
        return _add_lossless(silent, source, output)


def _scikit_video(source: str, output: str) -> int:
    import skvideo.io  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        silent = str(Path(folder) / "silent.mp4")
        rate = skvideo.io.ffprobe(source)["video"]["@r_frame_rate"]
        options = {"-vcodec": "libx264", "-preset": "veryfast", "-crf": "18", "-pix_fmt": "yuv420p"}
        writer = skvideo.io.FFmpegWriter(silent, inputdict={"-r": rate}, outputdict=options)
        for picture in skvideo.io.vreader(source):
            writer.writeFrame(picture)
        writer.close()
        return _add_lossless(silent, source, output)


def _add_sound(silent: str | Path, source: str, output: str) -> int:
    code = subprocess.run(["mkvmerge", "-q", "-o", output, silent, "--no-video", source], check=False).returncode
    return 0 if code == _WARNED else code


def _add_lossless(silent: str | Path, source: str, output: str) -> int:
    """FFmpeg knows where a sound begins behind what its encoder put in front; mkvmerge copies that too."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", silent, "-i", source, "-map", "0:v", "-map", "1:a?"]
    return subprocess.run([*command, "-c:v", "copy", "-c:a", "flac", output], check=False).returncode


_LIBRARIES: Final[dict[str, Callable[..., int]]] = {
    "pyav": _pyav,
    "imageio": _imageio,
    "imageio-pyav": _imageio_pyav,
    "mediapy": _mediapy,
    "ffpyplayer": _ffpyplayer,
    "ffmpegcv": _ffmpegcv,
    "vidgear": _vidgear,
    "scikit-video": _scikit_video,
}

if __name__ == "__main__":
    sys.exit(_LIBRARIES[sys.argv[1]](*sys.argv[2:]))
