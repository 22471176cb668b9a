"""The two lowest rungs of the ladder by ffmpeg's own filters: `ffmpeg-ladder` of matrix/ladder-subjects.toml.

    python3 ffmpeg_ladder.py SOURCE OUTPUT SCENE WIDTH HEIGHT FPS ENCODER_OPTION...

`bare` is decoded and encoded. `ladder-framed` is drawn for a recording of the canvas's aspect: gradient, padding of 5%
of either side, corners of 24 and a shadow of 48 pixels of a canvas 1080 lines high. Background and mask are drawn once
and repeated. The program becomes ffmpeg, so that what is measured is ffmpeg and the start of Python.
"""

from __future__ import annotations

import os
import sys

_CORNER, _SHADOW_BLUR, _SHADOW_DOWN, _SHADOW_OPACITY = 24, 48, 18, 0.45
_GRADIENT = ((0x41, 0xC8), (0x58, 0x50), (0xD0, 0xC0))


def _distance(down: str, width: str, height: str, unit: str) -> str:
    """Signed distance of a pixel from a rounded rectangle in the middle, 0.9 times as wide and high as the picture."""
    across = f"(abs(X+0.5-{width}/2)-0.45*{width}+{_CORNER}*{unit})"
    below = f"(abs(Y+0.5-{height}/2-{down})-0.45*{height}+{_CORNER}*{unit})"
    return f"(hypot(max({across},0),max({below},0))+min(max({across},{below}),0)-{_CORNER}*{unit})"


def _framed(width: str, height: str, fps: str) -> str:
    unit = "H/1080"
    blur = f"({_SHADOW_BLUR}*{unit})"
    step = f"clip(0.5+{_distance(f'{_SHADOW_DOWN}*{unit}', 'W', 'H', unit)}/(2*{blur}),0,1)"
    light = f"(1-{_SHADOW_OPACITY}*(1-st(0,{step})*ld(0)*(3-2*ld(0))))"
    channels = ":".join(
        f"{name}='({first}+({last - first})*(X+Y+1)/(W+H))*{light}'"
        for name, (first, last) in zip("rgb", _GRADIENT, strict=True)
    )
    inner = f"2*round(0.45*{width}):2*round(0.45*{height})"
    corner = f"{_CORNER}*{height}/1080"
    rounded = f"hypot(max(abs(X+0.5-W/2)-W/2+{corner},0),max(abs(Y+0.5-H/2)-H/2+{corner},0))-{corner}"
    repeated = f"loop=loop=-1:size=1, setpts=N/({fps})/TB"
    return f"""
color=c=black:s={width}x{height}:r={fps}, trim=end_frame=1, format=gbrp, geq={channels},
  scale=out_color_matrix=bt709:out_range=tv, format=yuv420p, {repeated} [background];
color=c=black:s={width}x{height}:r={fps}, trim=end_frame=1, scale={inner}, format=gray,
  geq=lum='255*clip(0.5-({rounded}),0,1)', {repeated} [mask];
[0:v] scale={inner}, format=yuva420p [picture];
[picture][mask] alphamerge=shortest=1 [rounded];
[background][rounded] overlay=(W-w)/2:(H-h)/2:shortest=1:format=yuv444 [composed]
"""


def main(arguments: list[str]) -> None:
    """Become ffmpeg. Exits with 2 for a scene that cannot be drawn."""
    source, output, scene, width, height, fps, *encoder_options = arguments
    if scene == "bare":
        picture = ["-map", "0:v:0"]
    elif scene == "ladder-framed":
        picture = ["-filter_complex", _framed(width, height, fps), "-map", "[composed]"]
    else:
        sys.exit(f"ffmpeg_ladder.py draws bare and ladder-framed, not {scene}")
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-progress", "pipe:1"]
    command += ["-protocol_whitelist", "file", "-i", source, *picture, "-map", "0:a?", *encoder_options]
    command += ["-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    command += ["-color_range", "tv", "-c:a", "aac", "-movflags", "+faststart", output]
    os.execvp("ffmpeg", command)  # noqa: S606  no shell; the same ffmpeg as everywhere, from PATH


if __name__ == "__main__":
    main(sys.argv[1:])
