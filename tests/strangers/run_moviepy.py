"""Export a clip by MoviePy as its documentation shows it: `run_moviepy.py SOURCE OUTPUT`. Needs no more."""

from __future__ import annotations

import sys

from moviepy import VideoFileClip  # type: ignore[import-not-found]

with VideoFileClip(sys.argv[1]) as clip:
    clip.write_videofile(
        sys.argv[2], codec="libx264", audio_codec="aac", preset="veryfast", ffmpeg_params=["-crf", "16"], logger=None
    )
