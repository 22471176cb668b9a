"""Matrix files as people write them: TOML with includes, overrides and parameter products."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from capbench.harness.matrix.command_line import PLACEHOLDERS, placeholders_of, split_command
from capbench.harness.matrix.model import OptionValue, Rate
from capbench.harness.matrix.participation import MOST_MACHINE_TABLES, WrittenMachine
from capbench.harness.matrix.table_values import (
    MAX_SLICE_MS,
    MIN_SLICE_MS,
    MOST_BLOCKS,
    MOST_CASES,
    MOST_INCLUDES,
    MOST_LADDERS,
    MOST_OVERRIDES,
    MOST_RUNGS,
    BeginText,
    Even,
    Metrics,
    Name,
    RecordingSeconds,
    TimeLimit,
    Variable,
    WaitSeconds,
    known_paths,
)
from capbench.harness.matrix.written_tables import (
    WRITTEN,
    WrittenCurve,
    WrittenDownload,
    WrittenLimit,
    WrittenLook,
    WrittenRecording,
    WrittenTable,
)
from capbench.results.path_names import DECODERS
from capbench.results.run_record import ExportEnd, Footage, Interleave, Scheduling
from capbench.results.subject_name import FLOOR, SubjectName
from capbench.units import shown

__all__ = [
    "CaseTable",
    "CorpusTable",
    "FootageTable",
    "LadderTable",
    "MatrixFile",
    "OverrideTable",
    "SubjectTable",
]


class _Settings(WrittenTable):
    """Settings that a case may have and an override may change; None means not set."""

    source: str | None = None
    """File to export, relative to the matrix file."""
    recording: str | WrittenRecording | None = None
    """Name of a synthetic recording (`capbench media --list`), or a table with width, height, fps, container, seed."""
    footage: Name | None = None
    """Name of a `[[footage]]` table."""
    duration_s: RecordingSeconds | None = None
    """Cut the recording to this many seconds."""
    scene: str | None = None
    """Name of a built-in scene, or a `.toml` file relative to the matrix file."""
    expect: Literal["scene"] | WrittenLook | None = None
    """What is asked of commands that draw in a look of their own: `"scene"`, or a table. Their effects are judged then
    instead of their pixels."""
    width: Even | None = None
    """Output width in pixels."""
    height: Even | None = None
    """Output height in pixels."""
    fps: Rate | None = None
    """Output rate: a number or a fraction in quotes."""
    encoder: str | None = None
    """Encoder name such as `libx264`."""
    quality: str | None = None
    """Quality preset."""
    qp: Annotated[int, Field(ge=0, le=63)] | None = None
    """Constant quantiser, instead of `quality`."""
    curve: WrittenCurve | None = None
    """Points, instead of `quality` and `qp`: a table with a list `qp`, `crf` or `bitrate`."""
    options: dict[str, OptionValue] | None = None
    """Further export options."""
    subjects: list[str] | None = None
    """Subjects that take part; where nothing says, `floor`, `cpu`, `gpu` and every declared one."""
    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS)] | None = None
    """Blocks to run."""
    timeout_s: TimeLimit | None = None
    """Kill a run after this many seconds."""
    settle_s: WaitSeconds | None = None
    """Pause before each run."""
    warmup: bool | None = None
    """One discarded run of each subject first."""
    drift_control: bool | None = None
    """The floor once more before the first and after the last block."""
    interleave: Interleave | None = None
    """`runs`: one whole run after another; `slices`: all at once, one running at a time."""
    slice_ms: Annotated[float, Field(ge=MIN_SLICE_MS, le=MAX_SLICE_MS)] | None = None
    """Mean length of a slice in milliseconds."""
    scheduling: Scheduling | None = None
    """`normal`, or `realtime`: what is measured has the cores before all other programs (Linux)."""
    thresholds: dict[str, WrittenLimit] | None = None
    """Limits for fields of a run, or for `<metric>.<pool>` of its quality."""
    metrics: Metrics | None = None
    """Metrics that validation measures, such as `["default", "cambi"]` (`capbench validate --list-metrics`)."""

    @model_validator(mode="after")
    def _excludes(self) -> Self:
        given = [key for key in ("source", "recording", "footage") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"give {given[0]} or {given[1]}, not both")
        if given in (["source"], ["footage"]) and self.duration_s is not None:
            raise ValueError("duration_s applies only to a synthetic recording; footage has its own, files are not cut")
        if self.quality is not None and self.qp is not None:
            raise ValueError("give quality or qp, not both")
        if self.curve is not None and (self.quality is not None or self.qp is not None):
            raise ValueError("a curve replaces quality and qp; give one of them")
        return self


class CaseTable(_Settings):
    """`[[case]]`."""

    name: Name | None = None
    """Name of the case; with a product, the start of each name: `4k-qp=20`."""
    product: dict[str, list[Any]] = Field(default_factory=dict)
    """Setting to its values: one case for each combination."""


class CorpusTable(_Settings):
    """`[[corpus]]`: one case for each clip, with these settings."""

    name: Name
    """Name of the corpus; the start of each case's name: `clips-foreman`."""
    folder: str | None = None
    """Folder of the clips, relative to the matrix file."""
    pattern: str = "*"
    """Glob of the names of the files in `folder` that are clips."""
    files: list[str | WrittenDownload] | None = Field(default=None, max_length=MOST_CASES)
    """The clips one by one: files relative to the matrix file, or tables with `url` and `sha256`."""

    @model_validator(mode="after")
    def _names_clips(self) -> Self:
        if (self.folder is None) == (self.files is None):
            raise ValueError("give exactly one of folder and files")
        if self.files is not None and "pattern" in self.model_fields_set:
            raise ValueError("pattern applies only to a folder")
        if self.files is not None and not self.files:
            raise ValueError("files is empty: a corpus without a clip has nothing to measure")
        if unfit := [key for key in ("source", "recording", "footage", "duration_s") if getattr(self, key) is not None]:
            raise ValueError(f"{unfit[0]} does not apply to a corpus, whose clips are the sources")
        return self


class OverrideTable(_Settings):
    """`[[override]]`: changes the cases, own and included, that its glob matches."""

    case: str
    """Glob of case names."""


class SubjectTable(WrittenTable):
    """`[[subject]]`."""

    name: Name
    """Name of the subject."""
    floor: bool = False
    """Decode and encode, nothing between."""
    path: str | None = None
    """Path of the reference pipeline."""
    command: str | list[str] | None = None
    """Command line with placeholders; split like a shell would, never given to one."""
    decoder: str | None = None
    """What decodes for a path or the floor: software, auto or a hardware decoder."""
    options: dict[str, OptionValue] = Field(default_factory=dict)
    """Further export options of a path."""
    env: dict[Variable, str] = Field(default_factory=dict)
    """Environment variables to add."""
    scenes: list[str] = Field(default_factory=list)
    """Globs of scenes that the subject can draw."""
    look: Literal["scene", "own"] | None = None
    """Of a command: `own` judges its effects in every case, `scene` its pixels; otherwise a case's `expect` decides."""
    output_suffix: Annotated[str, Field(pattern=r"^\.[A-Za-z0-9]+$")] = ".mp4"
    """Suffix of the output file."""
    begins: BeginText | None = None
    """Text that the command prints when its export begins, in place of the line `capbench: begin`."""
    ends: ExportEnd | None = None
    """`output`: the export ends with the last change of the output, not with the process, which is then ended."""
    sampled: bool = True
    """Whether memory and CPU are sampled while it runs."""
    prepare: str | list[str] | None = None
    """Command to run before each run; not timed."""
    conclude: str | list[str] | None = None
    """Command to run after each run, before its output is looked at; not timed."""
    cwd: str | None = None
    """Folder where its commands start, relative to the matrix file, whose own folder it is otherwise."""
    product: dict[str, list[OptionValue]] = Field(default_factory=dict)
    """Parameter to its values: one subject for each combination. A parameter stands in the command as `{parameter}`;
    of a path it is an export option."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.floor and self.name != FLOOR:
            # Runs know their subject by its name alone: another floor would be judged like an exporter.
            raise ValueError(f"floor = true is only for the subject named {FLOOR!r}; rename it")
        if [self.floor, self.path is not None, self.command is not None].count(True) != 1:
            raise ValueError("give exactly one of path, command and floor = true")
        if self.path is not None and self.path not in known_paths():
            raise ValueError(f"unknown path {self.path!r}; available: {', '.join(sorted(known_paths()))}")
        if self.decoder is not None and self.decoder not in DECODERS:
            raise ValueError(f"unknown decoder {shown(self.decoder)}; available: {', '.join(DECODERS)}")
        if SubjectName.parse(self.name).is_capacity:
            raise ValueError(f"{self.name!r} is the name of a capacity figure; choose another name")
        self._check_keys_of_commands()
        for key in ("prepare", "conclude"):
            if (hook := getattr(self, key)) is not None:
                try:
                    split_command(hook, self.product, needs_output=False)
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from error
        self._check_product()
        return self

    def _check_keys_of_commands(self) -> None:
        if self.command is not None:
            if self.options or self.decoder is not None:
                raise ValueError("options and decoder apply only to a path; write those of a command into the command")
            split_command(self.command, self.product)
            return
        if clock := [key for key in ("begins", "ends") if getattr(self, key) is not None]:
            raise ValueError(f"{clock[0]} applies only to a command; what the pipeline runs has its own clock")
        if self.look is not None:
            raise ValueError("look applies only to a command: a path draws the scene, and the floor nothing")

    def _check_product(self) -> None:
        used = {name for words in self.texts() for name in placeholders_of(words)}
        for key, values in self.product.items():
            if not values:
                raise ValueError(f"product.{key}: an empty list leaves no subject")
            if self.command is None:
                continue
            if key in PLACEHOLDERS or not re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII):
                raise ValueError(
                    f"product.{key}: choose a name of letters, digits and _ that is none of "
                    f"{', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}"
                )
            if key not in used:
                raise ValueError(f"product.{key}: nothing uses it; write {{{key}}} into the command")
        if self.floor and self.product:
            raise ValueError("product: the floor is one subject; give a path or a command several values instead")
        if (count := math.prod(len(values) for values in self.product.values())) > MOST_CASES:
            raise ValueError(f"product: {count} combinations; at most {MOST_CASES} are allowed")

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Everything of the table that placeholders may stand in, split into words. Raises `ValueError`."""
        commands = (command for command in (self.command, self.prepare, self.conclude) if command is not None)
        split = (split_command(command, self.product, needs_output=False) for command in commands)
        return (*split, tuple(self.env.values()))


class LadderTable(WrittenTable):
    """`[[ladder]]`: cases of which each draws more than the one before."""

    name: Name
    """Name of the ladder."""
    rungs: Annotated[list[str], Field(min_length=2, max_length=MOST_RUNGS)]
    """Names of its cases from the bottom up; they differ in their scenes and subjects only."""

    @model_validator(mode="after")
    def _has_each_rung_once(self) -> Self:
        if repeated := [rung for rung in self.rungs if self.rungs.count(rung) > 1]:
            raise ValueError(f"rungs has {shown(repeated[0])} twice")
        return self


class FootageTable(Footage):
    """`[[footage]]`: a clip of somebody else's."""

    model_config = WRITTEN

    name: Name
    """Name of the clip, which cases give as `footage`."""
    fps: Rate = "30"
    """Frames a second, constant: a number, or a fraction in quotes."""


class MatrixFile(WrittenTable):
    """One TOML file."""

    description: str | None = None
    """One line for people."""
    include: list[str] = Field(default_factory=list, max_length=MOST_INCLUDES)
    """Other matrix files, relative to this one, or names of shipped ones."""
    reference: Name | None = None
    """Subject that the others are compared with; that of the including file wins."""
    defaults: _Settings = Field(default_factory=_Settings)
    """Settings of every case that does not say otherwise; those of the including file win."""
    case: list[CaseTable] = Field(default_factory=list, max_length=MOST_CASES)
    """Cases."""
    corpus: list[CorpusTable] = Field(default_factory=list, max_length=MOST_CASES)
    """Corpora: each is as many cases as it has clips."""
    subject: list[SubjectTable] = Field(default_factory=list, max_length=MOST_CASES)
    """Subjects."""
    footage: list[FootageTable] = Field(default_factory=list, max_length=MOST_CASES)
    """Clips of other people that cases may name."""
    ladder: list[LadderTable] = Field(default_factory=list, max_length=MOST_LADDERS)
    """Ladders: cases in the order in which each adds to what is drawn."""
    override: list[OverrideTable] = Field(default_factory=list, max_length=MOST_OVERRIDES)
    """Changes to cases, in order."""
    machine: list[WrittenMachine] = Field(default_factory=list, max_length=MOST_MACHINE_TABLES)
    """Machines of a fleet that take part; those of the including file come first."""
