"""What a specimen is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from capbench.recordings import RecordingSpec, make_recording
from capbench.results import Check
from capbench.selftest.remake import Remake, remake

__all__ = [
    "REGISTRY",
    "FileSpecimen",
    "Pair",
    "RunSpecimen",
    "Specimen",
    "register_change",
    "register_pair",
    "register_runs",
]

CLIP_S = 2.0
"""Length of the specimens' clips, in seconds: two flashes with their beeps."""
_TALL = {360: "selftest", 362: "selftest-odd-chroma"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files to hold against each other."""

    reference: Path
    """The file that is right."""
    output: Path
    """The file with the defect."""


@dataclass(frozen=True, slots=True)
class FileSpecimen:
    """A defect that is in a file."""

    name: str
    """Short name, unique."""
    family: str
    """Where such a defect comes from: colour, layout, frames, time, sound, file."""
    defect: str
    """What was done, in one sentence."""
    caught_by: tuple[str, ...]
    """Checks of which at least one must fail. Another check failing does not count: a defect must be told as it is."""
    make: Callable[[Path], Pair]
    """Makes the two files in a folder."""


@dataclass(frozen=True, slots=True)
class RunSpecimen:
    """A defect that is in how a run went, not in its picture."""

    name: str
    """Short name, unique."""
    family: str
    """`performance`."""
    defect: str
    """What was done, in one sentence."""
    caught_by: tuple[str, ...]
    """Checks of which at least one must fail."""
    judge: Callable[[Path], Sequence[Check]]
    """Makes runs and judges them; gets a folder to work in."""


Specimen = FileSpecimen | RunSpecimen

REGISTRY: dict[str, Specimen] = {}
"""Every specimen by name, in the order of registration."""


def source_clip(*, height: int = 360, rate: Fraction | int = 30) -> Path:
    """The cached clean recording that specimens start from: 640 wide, `CLIP_S` long."""
    return make_recording(RecordingSpec(_TALL[height], 640, height, rate, CLIP_S))


def _register(specimen: Specimen) -> None:
    if specimen.name in REGISTRY:
        raise ValueError(f"two specimens are called {specimen.name!r}")
    REGISTRY[specimen.name] = specimen


def register_change(
    name: str,
    family: str,
    defect: str,
    *,
    caught_by: Sequence[str],
    change: Callable[[], Remake],
    height: int = 360,
    rate: Fraction | int = 30,
) -> None:
    """Register a defect that is a `Remake` of the clean recording."""

    def make(folder: Path) -> Pair:
        source = source_clip(height=height, rate=rate)
        return Pair(source, remake(source, folder / f"{name}.mp4", change()))

    _register(FileSpecimen(name, family, defect, tuple(caught_by), make))


def register_pair(
    name: str, family: str, defect: str, *, caught_by: Sequence[str]
) -> Callable[[Callable[[Path], Pair]], Callable[[Path], Pair]]:
    """Decorator for a function that makes reference and output itself."""

    def keep(make: Callable[[Path], Pair]) -> Callable[[Path], Pair]:
        _register(FileSpecimen(name, family, defect, tuple(caught_by), make))
        return make

    return keep


def register_runs(
    name: str, defect: str, *, caught_by: Sequence[str]
) -> Callable[[Callable[[Path], Sequence[Check]]], Callable[[Path], Sequence[Check]]]:
    """Decorator for a function that makes runs and judges them."""

    def keep(judge: Callable[[Path], Sequence[Check]]) -> Callable[[Path], Sequence[Check]]:
        _register(RunSpecimen(name, "performance", defect, tuple(caught_by), judge))
        return judge

    return keep
