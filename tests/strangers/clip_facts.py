"""Facts of clips that are not there, and what exporters say of these: for tests, which export nothing."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.strangers.foreign_exporters import Exporter
from tests.strangers.stream_facts import ShownFrame, SoundFacts, StreamFacts

__all__ = ["command", "facts", "facts_at", "takers"]


def facts_at(times_s: list[Fraction], **changed: Any) -> StreamFacts:
    """Of a silent clip whose frames are shown at these times, in seconds."""
    known: dict[str, Any] = {
        "path": Path("none.mp4"),
        "codec": "h264",
        "pixel_format": "yuv420p",
        "width": 320,
        "height": 180,
        "sample_aspect": Fraction(1),
        "rotation": 0,
        "matrix": "bt709",
        "container_matrix": None,
        "chroma_location": None,
        "reorders": False,
        "full_range": False,
        "time_base": Fraction(1, 90000),
        "container_end_s": None,
        "frames": tuple(ShownFrame(time, Fraction(1, 30)) for time in times_s),
        "sounds": (),
        "coded_bytes": 90000,
        "complaints": "",
    }
    return StreamFacts(**(known | changed))


def facts(**changed: Any) -> StreamFacts:
    """Of a second at 30 frames a second, with sound, that states no colours."""
    known: dict[str, Any] = {"matrix": None, "sounds": (SoundFacts(2, 44100, Fraction(0)),)}
    return facts_at([Fraction(n, 30) for n in range(30)], **(known | changed))


def takers(exporters: Mapping[str, Exporter], **changed: Any) -> set[str]:
    """Names of those that take such a clip."""
    given = facts(**changed)
    return {name for name, each in exporters.items() if each.takes(given)}


def command(exporter: Exporter, **changed: Any) -> list[str]:
    """Words of its command for such a clip."""
    return [str(word) for word in exporter.command(facts(**changed), Path("out.mkv"))]
