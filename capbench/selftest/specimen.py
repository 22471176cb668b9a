"""What a specimen is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from capbench.quality.validate import validate, validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import Check, ValidationReport
from capbench.selftest.mutation import Replacement, export_by_mutant, validate_by_mutant
from capbench.selftest.reencode import Remake, remake
from capbench.selftest.selftest_report import Mutates

__all__ = [
    "REGISTRY",
    "Pair",
    "Specimen",
    "register_change",
    "register_mutant",
    "register_pair",
    "register_runs",
    "source_clip",
]

CLIP_S = 2.0
"""Length of the specimens' clips, in seconds: two flashes with their beeps."""
_MUTANT_CLIP_S = 1.0
"""Length of the mutants' clips: most of such an export's time is its start."""
_REPORT = "validation.json"
_TALL = {360: "selftest", 362: "selftest-odd-chroma"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files to compare."""

    reference: Path
    """The file that is right."""
    output: Path
    """The file with the defect."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """One injected defect."""

    name: str
    """Short name, unique."""
    family: str
    """Where such a defect comes from: colour, layout, frames, time, sound, file, performance."""
    defect: str
    """What was done, in one sentence."""
    mutates: Mutates
    """What is changed to do it."""
    caught_by: tuple[str, ...]
    """Checks of which at least one must fail. Another check failing does not count: the defect must be named."""
    judge: Callable[[Path], Sequence[Check]]
    """Returns the checks of the defective output, which it makes in the given folder unless `prepare` has done so."""
    prepare: Callable[[Path], None] | None = None
    """Makes the defective output in the folder; all the work is done by another process."""
    says: str = ""
    """Text that the check's message must contain, if one check knows several defects."""
    replacements: tuple[Replacement, ...] = ()
    """Replacements of text in shaders and modules; empty if there are none."""


REGISTRY: dict[str, Specimen] = {}
"""Every specimen by name, in the order of registration."""


def source_clip(*, height: int = 360, rate: Fraction | int = 30) -> Path:
    """The cached clean recording that specimens start from: 640 wide, `CLIP_S` long."""
    return make_recording(RecordingSpec(_TALL[height], 640, height, rate, CLIP_S))


def _register(specimen: Specimen) -> None:
    if specimen.name in REGISTRY:
        raise ValueError(f"two specimens are called {specimen.name!r}")
    REGISTRY[specimen.name] = specimen


def register_mutant(
    *,
    name: str,
    family: str,
    defect: str,
    replacements: Sequence[Replacement],
    caught_by: Sequence[str],
    says: str = "",
    path: str = "gpu",
    scene: str = "bare",
    size: tuple[int, int] = (640, 360),
    judged_by_mutant: bool = False,
) -> None:
    """Register a defect that is a replacement of text in shaders or modules, and is really exported by `path`.

    `scene` is a shipped scene's name or the text of a scene file. `size` is the recording's: some defects do nothing at
    most sizes. `judged_by_mutant`: validation runs with the same replacements, to show that it shares no code with
    the exporter.
    """
    source_spec = RecordingSpec("selftest-mutant", *size, 30, _MUTANT_CLIP_S)

    def scene_in(folder: Path) -> str:
        if "\n" not in scene:
            return scene
        file = folder / "scene.toml"
        file.write_text(scene, encoding="utf-8")
        return str(file)

    def prepare(folder: Path) -> None:
        source, output = make_recording(source_spec), folder / f"{name}.mp4"
        export_by_mutant(replacements, source, output, path=path, scene=scene_in(folder))
        if judged_by_mutant:
            found = validate_by_mutant(replacements, source, output, scene=scene_in(folder))
            (folder / _REPORT).write_text(found.model_dump_json(), encoding="utf-8")

    def judge(folder: Path) -> Sequence[Check]:
        if judged_by_mutant:
            return ValidationReport.model_validate_json((folder / _REPORT).read_text(encoding="utf-8")).checks
        output = folder / f"{name}.mp4"
        return validate_run(make_recording(source_spec), output, scene=scene_in(folder), with_vmaf=False).checks

    in_shaders = all(replacement.file.startswith("shaders/") for replacement in replacements)
    mutates = Mutates.SHADER if in_shaders else Mutates.PIPELINE
    _register(Specimen(name, family, defect, mutates, tuple(caught_by), judge, prepare, says, tuple(replacements)))


def register_change(
    *,
    name: str,
    family: str,
    defect: str,
    caught_by: Sequence[str],
    change: Callable[[], Remake],
    mutates: Mutates = Mutates.CONTENT,
    says: str = "",
    height: int = 360,
    rate: Fraction | int = 30,
) -> None:
    """Register a defect that is a `Remake` of the clean recording."""

    def judge(folder: Path) -> Sequence[Check]:
        source = source_clip(height=height, rate=rate)
        return validate(source, remake(source, folder / f"{name}.mp4", change()), with_vmaf=False).checks

    _register(Specimen(name, family, defect, mutates, tuple(caught_by), judge, says=says))


def register_pair(
    *, name: str, family: str, defect: str, caught_by: Sequence[str], mutates: Mutates
) -> Callable[[Callable[[Path], Pair]], Callable[[Path], Pair]]:
    """Decorator for a function that makes reference and output itself."""

    def keep(make: Callable[[Path], Pair]) -> Callable[[Path], Pair]:
        def judge(folder: Path) -> Sequence[Check]:
            pair = make(folder)
            return validate(pair.reference, pair.output, with_vmaf=False).checks

        _register(Specimen(name, family, defect, mutates, tuple(caught_by), judge))
        return make

    return keep


def register_runs(
    *, name: str, defect: str, caught_by: Sequence[str]
) -> Callable[[Callable[[Path], Sequence[Check]]], Callable[[Path], Sequence[Check]]]:
    """Decorator for a function that makes records of runs and judges them."""

    def keep(judge: Callable[[Path], Sequence[Check]]) -> Callable[[Path], Sequence[Check]]:
        _register(Specimen(name, "performance", defect, Mutates.FIGURES, tuple(caught_by), judge))
        return judge

    return keep
