"""Export a clip by libopenshot, which Debian has for its own Python: `run_openshot.py SOURCE OUTPUT VIDEO AUDIO`."""

from __future__ import annotations

import sys

import openshot  # type: ignore[import-not-found]

source, output, video, audio = sys.argv[1:]
reader = openshot.FFmpegReader(source)
reader.Open()
clip = reader.info
writer = openshot.FFmpegWriter(output)
rate = openshot.Fraction(clip.fps.num, clip.fps.den)
aspect = openshot.Fraction(clip.pixel_ratio.num, clip.pixel_ratio.den)
writer.SetVideoOptions(True, video, rate, clip.width, clip.height, aspect, False, False, 4_000_000)
if clip.has_audio:
    writer.SetAudioOptions(True, audio, clip.sample_rate, clip.channels, clip.channel_layout, 192_000)
writer.PrepareStreams()
writer.SetOption(openshot.VIDEO_STREAM, "crf", "18")
writer.Open()
writer.WriteFrame(reader, 1, int(clip.video_length))
writer.Close()
reader.Close()
