"""A matrix as it will be run: every include, product and override already applied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from capbench.errors import MatrixError
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.results.environment import MachineChoice
from capbench.results.record import Record
from capbench.results.run_record import CurveParameter, CurvePoint, ExportEnd, Footage, Interleave, Scheduling
from capbench.results.subject_name import CAPACITY_PREFIX, DECODE_ONLY, FLOOR, SubjectName
from capbench.units import parse_rate, shown
from capbench.unknown_names import did_you_mean

__all__ = [
    "DEFAULT_SLICE_MS",
    "Case",
    "Curve",
    "Download",
    "Ladder",
    "Limit",
    "OptionValue",
    "OwnRecording",
    "Rate",
    "RunMatrix",
    "Subject",
    "names_without_table",
    "subject_without_table",
]

_MOST_RECORDED_PIXELS_A_SIDE = 8192
"""Twice the width of 4K. A recording is drawn in Python, and a frame of that square takes 200 MB."""

DEFAULT_SLICE_MS = 100.0
"""Mean length of a slice: shorter ones were measured to be no better (docs/gate.md), and fewer switches disturb
less."""

OptionValue = bool | int | float | str
"""A value of an encoder setting or an export option in a TOML file."""
Rate = Annotated[
    str,
    BeforeValidator(lambda value: str(parse_rate(value))),
    WithJsonSchema({"type": ["string", "number"], "examples": [30, "30000/1001"]}, mode="validation"),
]
"""Frames a second as an exact fraction, from anything that `parse_rate` takes."""


class Limit(Record):
    """What a case's threshold allows. At least one side is given."""

    min: float | None = None
    """Smallest value that is still right."""
    max: float | None = None
    """Largest value that is still right."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class Curve(Record):
    """What the points of a case differ in: one export of each subject at each of them in every block."""

    parameter: CurveParameter
    """The setting that changes."""
    values: tuple[float, ...]
    """Its values in rising order, each once; in bits a second for `bitrate`."""

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """The points in the order of the values."""
        return tuple(CurvePoint(parameter=self.parameter, value=value) for value in self.values)

    @property
    def finest(self) -> CurvePoint:
        """The point of the highest rate: the lowest quantiser or rate factor, or the highest bit rate."""
        return self.points[-1 if self.parameter == "bitrate" else 0]


class Download(Record):
    """A file that is fetched before the first run and kept in the user's cache."""

    url: str
    """Where it is, `https` or `http`."""
    sha256: str
    """SHA-256 of its bytes in hexadecimal."""


class OwnRecording(Record):
    """A synthetic recording of the user's own size."""

    width: Annotated[int, Field(gt=0, le=_MOST_RECORDED_PIXELS_A_SIDE)]
    """Width in pixels, even."""
    height: Annotated[int, Field(gt=0, le=_MOST_RECORDED_PIXELS_A_SIDE)]
    """Height in pixels, even."""
    fps: Rate = "30"
    """Frames a second as an exact fraction."""
    container: Literal["mp4", "hls"] = "mp4"
    """One file, or a playlist with fragmented MP4 segments."""
    seed: int = 1
    """Picks the pictures."""


class Subject(Record):
    """What is measured: exactly one of `is_floor`, `path` and `command`."""

    name: str
    """Unique in the matrix; part of file names."""
    is_floor: bool = False
    """Decode and encode with the case's settings, nothing between."""
    path: str | None = None
    """Conversion path of the reference pipeline."""
    command: tuple[str, ...] = ()
    """Program and arguments with placeholders, never given to a shell."""
    options: dict[str, OptionValue] = Field(default_factory=dict)
    """Further export options of a path, for example `swscale_threads`."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables added for this subject."""
    scenes: tuple[str, ...] = ()
    """Globs of scene names that the subject can draw; empty for all."""
    look: Literal["scene", "own"] | None = None
    """`own`: a command draws in a look of its own, and its effects are judged instead of its pixels; `scene`: it draws
    the scene itself. None, which is not written, leaves that to the case."""
    output_suffix: str = ".mp4"
    """Suffix of the output file, which chooses the container."""
    folder: Path | None = None
    """Where its commands are started: the folder of the matrix file, or the table's `cwd`."""
    prepare: tuple[str, ...] = ()
    """Command before each run, with placeholders; not timed."""
    conclude: tuple[str, ...] = ()
    """Command after each run, likewise."""
    begins: str | None = None
    """Text that a command prints when its export begins. Written only where it is given, and so is the next."""
    ends: ExportEnd | None = None
    """`output`: the export ends when the output has changed for the last time."""
    sampled: bool = True
    """Whether memory and CPU are sampled while it runs; False shows what sampling costs."""
    revision: str | None = None
    """Git revision that runs it; None for the capbench that runs the matrix."""
    python: Path | None = None
    """Interpreter of the revision's own environment."""

    @property
    def writes_output(self) -> bool:
        """Whether a run leaves a file; a capacity figure leaves none, and there is nothing to validate."""
        return not SubjectName.parse(self.name).is_capacity

    def has_own_look(self, case: Case) -> bool:
        """Whether the effects of its outputs of a case are judged, and not their pixels."""
        return bool(self.command) and (self.look == "own" or (self.look is None and case.expect is not None))

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in the JSON Schema.
    def _leave_out_absent(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """Older readers refuse the keys that they do not know."""
        written: dict[str, Any] = default(self)
        for name in ("look", "begins", "ends"):
            if written.get(name, ...) is None:
                del written[name]
        return written

    def draws(self, scene: str) -> bool:
        """Whether the subject takes part in cases of this scene (a name, or the path of a scene file)."""
        return not self.scenes or any(fnmatchcase(scene, pattern) for pattern in self.scenes)


_WITHOUT_ENCODER: dict[str, OptionValue] = {"encoder": "none"}
"""Export options of a capacity subject."""


def names_without_table(paths: Collection[str]) -> tuple[str, ...]:
    """Names of the subjects that a case may name without a `[[subject]]` table."""
    return (FLOOR, *sorted(paths), DECODE_ONLY, *(f"{CAPACITY_PREFIX}{path}" for path in sorted(paths)))


def subject_without_table(name: str, paths: Collection[str]) -> Subject | None:
    """The subject of such a name; None for any other."""
    if name not in names_without_table(paths):
        return None
    if name == FLOOR:
        return Subject(name=name, is_floor=True)
    if name == DECODE_ONLY:
        # The floor without its encoder: nothing is left but the decoder.
        return Subject(name=name, is_floor=True, options=_WITHOUT_ENCODER)
    if name in paths:
        return Subject(name=name, path=name)
    return Subject(name=name, path=name.removeprefix(CAPACITY_PREFIX), options=_WITHOUT_ENCODER)


class Case(Record):
    """One row of the matrix."""

    name: str
    """Unique in the matrix; part of file names."""
    source: Path | None = None
    """File to export; exclusive with `recording`."""
    recording: str | OwnRecording | None = None
    """A synthetic recording: name of a standard one, or one of the user's own size."""
    download: Download | None = None
    """A file to fetch, where the source is a clip of a corpus that is named by its URL."""
    corpus: str | None = None
    """The corpus whose clip the source is; None for a case of its own."""
    footage: Footage | None = None
    """A clip that is fetched and normalised; `download` says from where."""
    duration_s: float | None = None
    """Length of the recording in seconds; None for a standard one's own."""
    scene: str = "bare"
    """Name of a shipped scene, or the path of a scene file."""
    width: int | None = None
    """Output width in pixels; None for the source's."""
    height: int | None = None
    """Output height in pixels; None for the source's."""
    fps: Rate | None = None
    """Output rate as an exact fraction; None for the source's."""
    expect: Literal["scene"] | ExpectedLook | None = None
    """What commands are asked for, whose effects are then judged instead of their pixels: what the scene says, or what
    this says; None, which is not written, compares pixels."""
    encoder: str | None = None
    """Encoder name; None for the pipeline's default."""
    quality: str | None = None
    """Quality preset; exclusive with `qp`."""
    qp: int | None = None
    """Constant quantiser."""
    curve: Curve | None = None
    """The points of the case, instead of `quality` and `qp`; None for a case without a curve."""
    options: dict[str, OptionValue] = Field(default_factory=dict)
    """Further export options for every path and the floor, for example `preset`."""
    subjects: tuple[str, ...]
    """Names of the subjects that take part."""
    blocks: int
    """Blocks to run."""
    timeout_s: float
    """A run that takes longer is killed and recorded as failed."""
    settle_s: float
    """Pause before each run."""
    warmup: bool
    """Whether each subject has one discarded run first."""
    drift_control: bool
    """Whether the floor runs once more before the first and after the last block."""
    interleave: Interleave = "runs"
    """How the subjects of a block take turns. Written only for `slices`, and so is the next."""
    slice_ms: float = DEFAULT_SLICE_MS
    """Mean length of a slice in milliseconds."""
    scheduling: Scheduling = "normal"
    """How the kernel schedules the subjects. Written only for `realtime`."""
    thresholds: dict[str, Limit] = Field(default_factory=dict)
    """Field of a run or `<metric>.<pool>` of its quality, to what is allowed."""
    metrics: tuple[str, ...] | None = None
    """Names of the metrics that validation measures; None, which is not written, for the default ones."""

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in the JSON Schema.
    def _leave_out_what_is_new(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """What a case has nothing of is not written: older readers refuse the keys that they do not know."""
        written: dict[str, Any] = default(self)
        for name in ("metrics", "download", "corpus", "curve", "footage", "expect"):
            if written.get(name, ...) is None:
                del written[name]
        if self.interleave == "runs":
            for name in ("interleave", "slice_ms"):
                written.pop(name, None)
        if self.scheduling == "normal":
            written.pop("scheduling", None)
        return written

    @property
    def points(self) -> tuple[CurvePoint | None, ...]:
        """The points of the curve; one None for a case without a curve."""
        return (None,) if self.curve is None else self.curve.points

    def at(self, point: CurvePoint | None) -> Case:
        """The case with the settings of one point of its curve; itself for None."""
        if point is None:
            return self
        if point.parameter == "qp":
            return self.model_copy(update={"qp": int(point.value), "quality": None})
        option: dict[str, OptionValue] = (
            {"crf": point.value} if point.parameter == "crf" else {"bitrate_bits_per_s": int(point.value)}
        )
        return self.model_copy(update={"qp": None, "quality": None, "options": self.options | option})


class Ladder(Record):
    """Cases of which each draws more than the one before, so that the difference is what the addition costs."""

    name: str
    """Unique in the matrix."""
    rungs: tuple[str, ...]
    """Names of the cases from the bottom up, at least two."""


class RunMatrix(Record):
    """Cases and subjects, in the order of their files."""

    name: str
    """Names the matrix in messages and reports."""
    description: str = ""
    """One line for people."""
    files: tuple[Path, ...] = ()
    """Every file it was read from, includes first."""
    cases: tuple[Case, ...]
    """At least one."""
    subjects: tuple[Subject, ...]
    """At least one, in the order in which the cases name them."""
    reference: str | None = None
    """Subject that the others are compared with; None leaves that to `capbench.results.base_subject`."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Declared subject that takes part in no case, to the reason."""
    ladders: tuple[Ladder, ...] = ()
    """Ladders, in the order of the files. Written only where there are any."""
    machines: tuple[MachineChoice, ...] = ()
    """Machines of a fleet that take part, the first that matches counts; empty, and not written, for all of them."""

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in the JSON Schema.
    def _leave_out_empty(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """Older readers refuse the keys that they do not know."""
        written: dict[str, Any] = default(self)
        return {name: value for name, value in written.items() if value or name not in ("ladders", "machines")}

    def subject(self, name: str) -> Subject:
        """The subject of that name. Raises `MatrixError`."""
        for subject in self.subjects:
            if subject.name == name:
                return subject
        raise MatrixError(f"no subject {name!r}; available: {', '.join(s.name for s in self.subjects)}")

    def subjects_of(self, case: Case) -> tuple[Subject, ...]:
        """Subjects of a case that can draw its scene, in the case's order."""
        return tuple(subject for name in case.subjects if (subject := self.subject(name)).draws(case.scene))

    def select(
        self, case_globs: Sequence[str] = (), subject_globs: Sequence[str] = (), *, paths: Collection[str] = ()
    ) -> RunMatrix:
        """The part whose names match any of the globs; no glob means all. The name of a corpus means all its clips.

        A subject that no case names is added to every case, by its whole name, where it needs no table.
        Raises `MatrixError` for a glob that matches nothing.
        """
        corpora = dict.fromkeys(case.corpus for case in self.cases if case.corpus is not None)
        _check_each_matches("case", case_globs, [*corpora, *(case.name for case in self.cases)])
        cases = [
            case
            for case in self.cases
            if _matches(case.name, case_globs) or (case.corpus is not None and _matches(case.corpus, case_globs))
        ]
        named = list(dict.fromkeys(name for case in cases for name in case.subjects))
        addable = [name for name in names_without_table(paths) if name not in named]
        added = [glob for glob in dict.fromkeys(subject_globs) if glob in addable]
        others = f"; a path may be added by its name: {', '.join(addable)}" if paths else ""
        _check_each_matches("subject", [glob for glob in subject_globs if glob not in added], named, others)
        kept = [
            case.model_copy(update={"subjects": names})
            for case in cases
            if (names := (*(name for name in case.subjects if _matches(name, subject_globs)), *added))
        ]
        used = {name for case in kept for name in case.subjects}
        subjects = [subject for subject in self.subjects if subject.name in used]
        there = {subject.name for subject in subjects}
        subjects += [
            subject
            for name in added
            if name not in there and (subject := subject_without_table(name, paths)) is not None
        ]
        left_out = {} if subject_globs else self.left_out  # who was not asked for needs no reason
        ladders = _ladders_of(self.ladders, {case.name for case in kept})
        return self.model_copy(
            update={"cases": tuple(kept), "subjects": tuple(subjects), "left_out": left_out, "ladders": ladders}
        )


def _ladders_of(ladders: Sequence[Ladder], cases: Collection[str]) -> tuple[Ladder, ...]:
    """The ladders with the rungs that are left; a single one has none below it."""
    left = (
        ladder.model_copy(update={"rungs": tuple(rung for rung in ladder.rungs if rung in cases)}) for ladder in ladders
    )
    return tuple(ladder for ladder in left if len(ladder.rungs) > 1)


def _check_each_matches(kind: str, globs: Sequence[str], names: Sequence[str], others: str = "") -> None:
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            listed = ", ".join(names)
            meant = did_you_mean(glob, names) if len(names) > 1 else ""
            raise MatrixError(f"no {kind} matches {shown(glob)}; available: {listed}{others}{meant}")


def _matches(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)
