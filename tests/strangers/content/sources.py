"""Sources of FFmpeg's lavfi that the fixed clips do not use, with parameters drawn by seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

__all__ = ["SOURCES"]

_Source = Callable[[np.random.Generator, str, str], str]
"""Makes a filter graph of a size such as 320x180 and a rate."""


def _automaton(random: np.random.Generator, size: str, rate: str) -> str:
    """Rows of cells by a rule, each made of the one above; the picture moves up."""
    rule = (30, 90, 110, 150, 18)[int(random.integers(0, 5))]
    return f"cellauto=s={size}:r={rate}:rule={rule}:seed={int(random.integers(1, 9999))}:scroll=1"


def _triangles(random: np.random.Generator, size: str, rate: str) -> str:
    """Sierpinski's carpet or triangle that is panned over."""
    shape = ("carpet", "triangle")[int(random.integers(0, 2))]
    return f"sierpinski=s={size}:r={rate}:type={shape}:seed={int(random.integers(1, 9999))}:jump=40"


def _first_test(random: np.random.Generator, size: str, rate: str) -> str:
    """FFmpeg's first test picture: bars, a ramp and a number of seconds."""
    return f"testsrc=s={size}:r={rate}:decimals=2,hue=h={int(random.integers(0, 360))}"


def _sliding_bars(random: np.random.Generator, size: str, rate: str) -> str:
    """Colour bars of PAL that slide."""
    kind = ("pal75bars", "pal100bars", "smptebars")[int(random.integers(0, 3))]
    return f"{kind}=s={size}:r={rate},scroll=h={random.uniform(0.002, 0.02):.4f}"


def _turning_ramps(random: np.random.Generator, size: str, rate: str) -> str:
    """Ramps of red, green and blue that turn slowly."""
    return f"rgbtestsrc=s={size}:r={rate},rotate=a={random.uniform(0.2, 0.9):.3f}*t:c=0x406080"


def _waveform(random: np.random.Generator, size: str, rate: str) -> str:
    """What a sound that sweeps looks like as a curve."""
    wave = f"aevalsrc='0.7*sin(2*PI*({random.uniform(20, 60):.1f}+{random.uniform(20, 90):.1f}*t)*t)':s=24000"
    return f"{wave},showwaves=s={size}:r={rate}:mode=cline:colors=0x50c0f0:scale=sqrt,fps={rate}"


def _spectrum(random: np.random.Generator, size: str, rate: str) -> str:
    """What a sound that sweeps looks like as bars of a spectrum."""
    sweep = f"0.4*sin(2*PI*({random.uniform(200, 800):.0f}+{random.uniform(600, 3000):.0f}*t)*t)"
    return f"aevalsrc='{sweep}+0.1*random(0)':s=24000,showfreqs=s={size}:rate={rate}:mode=bar:ascale=log,fps={rate}"


SOURCES: Final[dict[str, _Source]] = {
    "automaton": _automaton,
    "triangles": _triangles,
    "first-test": _first_test,
    "sliding-bars": _sliding_bars,
    "turning-ramps": _turning_ramps,
    "waveform": _waveform,
    "spectrum": _spectrum,
}
"""By name."""
