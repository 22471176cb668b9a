"""Matrix files as people write them: TOML with includes, overrides and parameter products."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from capbench.errors import MatrixError
from capbench.harness.matrix.command_line import split_command
from capbench.harness.matrix.expand import expand_matrix
from capbench.harness.matrix.model import Limit, OptionValue, OwnRecording, RunMatrix
from capbench.resources import matrix_folder
from capbench.results.run_record import Interleave

__all__ = ["BUILT_IN_PATHS", "CaseTable", "MatrixFile", "OverrideTable", "SubjectTable", "known_paths", "load_matrix"]

BUILT_IN_PATHS = ("cpu", "gpu", "gpu-fused", "gpu-late", "passthrough", "videotoolbox")
"""Paths of the design's table; a case may name them, and `floor`, without a `[[subject]]` table."""


def known_paths() -> frozenset[str]:
    """Built-in paths and those that installed packages add; nothing is imported to find out."""
    return frozenset(BUILT_IN_PATHS) | {point.name for point in entry_points(group="capbench.paths")}


def _check_name(name: str) -> str:
    # Names become file names joined by "--", so they must survive every file system and stay unambiguous.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+=@-]{0,79}", name) or "--" in name:
        raise ValueError(f"{name!r} cannot be part of a file name; use letters, digits, . _ + = - (no --)")
    return name


def _check_fps(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a rate; write for example 30 or '30000/1001'")  # noqa: TRY004  pydantic wants ValueError
    try:
        rate = Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a rate; write for example 30 or '30000/1001'") from None
    if rate <= 0:
        raise ValueError(f"{value!r} is not a rate above 0")
    return str(rate)


MIN_SLICE_MS = 5.0
"""A switch takes about a millisecond: below this the machine does little else."""
MAX_SLICE_MS = 10_000.0
"""Longer slices are whole runs."""
Name = Annotated[str, AfterValidator(_check_name)]
Rate = Annotated[str, BeforeValidator(_check_fps)]
Even = Annotated[int, Field(gt=0, multiple_of=2)]
PositiveSeconds = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Settings(_Table):
    """What a case may say and an override may change; None means not said."""

    source: str | None = None
    """File to export, relative to the matrix file."""
    recording: str | OwnRecording | None = None
    """Name of a synthetic recording (`capbench media --list`), or a table with width, height, fps, container, seed."""
    duration_s: PositiveSeconds | None = None
    """Cut the recording to this many seconds."""
    scene: str | None = None
    """Name of a shipped scene, or a `.toml` file relative to the matrix file."""
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
    options: dict[str, OptionValue] | None = None
    """Further export options."""
    subjects: list[str] | None = None
    """Who takes part."""
    blocks: Annotated[int, Field(ge=1)] | None = None
    """Blocks to run."""
    timeout_s: PositiveSeconds | None = None
    """Kill a run after this many seconds."""
    settle_s: Annotated[float, Field(ge=0)] | None = None
    """Pause before each run."""
    warmup: bool | None = None
    """One discarded run of each subject first."""
    drift_control: bool | None = None
    """The floor once more before the first and after the last block."""
    interleave: Interleave | None = None
    """`runs`: one whole run after another; `slices`: all at once, one running at a time."""
    slice_ms: Annotated[float, Field(ge=MIN_SLICE_MS, le=MAX_SLICE_MS)] | None = None
    """Mean length of a slice in milliseconds."""
    thresholds: dict[str, Limit] | None = None
    """Limits for fields of a run, or for `<metric>.<pool>` of its quality."""

    @model_validator(mode="after")
    def _excludes(self) -> Self:
        if self.source is not None and self.recording is not None:
            raise ValueError("source and recording exclude each other")
        if self.source is not None and self.duration_s is not None:
            raise ValueError("duration_s cuts a recording; cut a file with another program")
        if self.quality is not None and self.qp is not None:
            raise ValueError("quality and qp exclude each other")
        return self


class CaseTable(_Settings):
    """`[[case]]`."""

    name: Name | None = None
    """Name of the case; with a product, the start of each name: `4k-qp=20`."""
    product: dict[str, list[Any]] = Field(default_factory=dict)
    """Setting to its values: one case for each combination."""


class OverrideTable(_Settings):
    """`[[override]]`: changes the cases, own and included, that its glob matches."""

    case: str
    """Glob of case names."""


class SubjectTable(_Table):
    """`[[subject]]`."""

    name: Name
    """Name of the subject."""
    floor: bool = False
    """Decode and encode, nothing between."""
    path: str | None = None
    """Path of the reference pipeline."""
    command: str | list[str] | None = None
    """Command line with placeholders; split like a shell would, never given to one."""
    options: dict[str, OptionValue] = Field(default_factory=dict)
    """Further export options of a path."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables to add."""
    scenes: list[str] = Field(default_factory=list)
    """Globs of scenes that the subject can draw."""
    output_suffix: Annotated[str, Field(pattern=r"^\.[A-Za-z0-9]+$")] = ".mp4"
    """Suffix of the output file."""
    sampled: bool = True
    """Whether memory and CPU are sampled while it runs."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if [self.floor, self.path is not None, self.command is not None].count(True) != 1:
            raise ValueError("give exactly one of path, command and floor = true")
        if self.path is not None and self.path not in known_paths():
            raise ValueError(f"unknown path {self.path!r}; there are {', '.join(sorted(known_paths()))}")
        if self.command is not None:
            if self.options:
                raise ValueError("options belong to a path; a command carries its own")
            split_command(self.command)
        return self


class MatrixFile(_Table):
    """One TOML file."""

    description: str | None = None
    """One line for people."""
    include: list[str] = Field(default_factory=list)
    """Other matrix files, relative to this one, or names of shipped ones."""
    defaults: _Settings = Field(default_factory=_Settings)
    """Settings of every case that does not say otherwise; those of the including file win."""
    case: list[CaseTable] = Field(default_factory=list)
    """Cases."""
    subject: list[SubjectTable] = Field(default_factory=list)
    """Subjects."""
    override: list[OverrideTable] = Field(default_factory=list)
    """Changes to cases, in order."""


def load_matrix(name_or_path: str | Path) -> RunMatrix:
    """Read a matrix by the name of a shipped one or by its path. Raises `MatrixError` that points at file and key."""
    path = _find(str(name_or_path), beside=Path.cwd())
    files: dict[Path, MatrixFile] = {}
    _read_with_includes(path, files, chain=())
    return expand_matrix(path, files, known_paths())


def _find(name: str, *, beside: Path, said_in: str = "") -> Path:
    written = beside / name
    if written.is_file():
        return written.resolve()
    shipped = matrix_folder() / f"{name}.toml"
    if re.fullmatch(r"[\w-]+", name) and shipped.is_file():
        return shipped.resolve()
    if written.is_dir():
        raise MatrixError(f"{said_in}{name} is a directory; name a matrix file inside it")
    shipped_names = ", ".join(sorted(_shipped_names()))
    raise MatrixError(f"{said_in}no matrix {name!r}: neither a file nor a shipped one ({shipped_names})")


def _shipped_names() -> list[str]:
    """Shipped files that are a matrix of their own: those with cases or includes, not subjects, scenes or gates."""
    return [
        path.stem
        for path in matrix_folder().glob("*.toml")
        if re.search(r"^(\[\[case\]\]|include\s*=)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def _read_with_includes(path: Path, files: dict[Path, MatrixFile], chain: tuple[Path, ...]) -> None:
    """Add `path` to `files` after everything it includes. A file that two others include counts once."""
    if path in chain:
        circle = " -> ".join(step.name for step in (*chain[chain.index(path) :], path))
        raise MatrixError(f"{chain[-1]}:include: files include each other in a circle: {circle}")
    if path in files:
        return
    parsed = _read_one(path)
    for index, name in enumerate(parsed.include):
        included = _find(name, beside=path.parent, said_in=f"{path}:include[{index}]: ")
        _read_with_includes(included, files, (*chain, path))
    files[path] = parsed


def _read_one(path: Path) -> MatrixFile:
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise MatrixError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MatrixError(f"{path}: not a text file in UTF-8: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise MatrixError(f"{path}: not TOML: {error}") from error
    try:
        return MatrixFile.model_validate(raw)
    except ValidationError as error:
        raise MatrixError("\n".join(_describe(path, raw, dict(problem)) for problem in error.errors())) from error


def _describe(path: Path, raw: dict[str, Any], problem: dict[str, Any]) -> str:
    """`file:key: message` of one pydantic error, with the case's or subject's name where it has one."""
    key = ""
    node: Any = raw
    for step in problem["loc"]:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else None
            key += f"[{step}]"
            if isinstance(node, dict) and isinstance(label := node.get("name", node.get("case")), str):
                key += f"({label})"
        elif not isinstance(node, dict) or step in node or problem["type"] == "missing":
            # pydantic names the members of a union too; only real keys help the reader.
            node = node.get(step) if isinstance(node, dict) else None
            key += f".{step}" if key else step
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "unknown key"
    elif problem["type"] not in ("missing", "value_error"):
        message += f", got {problem['input']!r}"
    return f"{path}:{key or 'top level'}: {message}"
