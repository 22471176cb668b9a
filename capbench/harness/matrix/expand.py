"""From parsed matrix files to the matrix that will run: defaults, overrides and products applied."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from capbench.errors import InputError, MatrixError
from capbench.files import is_file
from capbench.harness.matrix.command_line import POINT_PLACEHOLDERS, placeholders_of
from capbench.harness.matrix.expand_ladders import expand_ladders
from capbench.harness.matrix.expand_subjects import DeclaredSubjects, declared_subjects
from capbench.harness.matrix.model import (
    DEFAULT_SLICE_MS,
    Case,
    OwnRecording,
    RunMatrix,
    Subject,
    names_without_table,
    subject_without_table,
)
from capbench.harness.matrix.sources.corpus_clips import find_clips
from capbench.harness.matrix.sources.find_footage import declared_footage, with_footage
from capbench.harness.matrix.table_values import LONGEST_NAME, MOST_CASES
from capbench.harness.matrix.toml_file import CaseTable, CorpusTable, MatrixFile
from capbench.results.base_subject import choose_base
from capbench.results.subject_name import FLOOR
from capbench.units import shown
from capbench.unknown_names import did_you_mean

__all__ = ["expand_matrix"]

_DEFAULTS: dict[str, Any] = {
    "scene": "bare",
    "blocks": 5,
    "timeout_s": 900.0,
    "settle_s": 0.5,
    "warmup": True,
    "drift_control": True,
    "interleave": "runs",
    "slice_ms": DEFAULT_SLICE_MS,
    "scheduling": "normal",
}
_USUAL_SUBJECTS = (FLOOR, "cpu", "gpu")
"""They take part, with every declared subject, where nothing says who does."""


_NO_SETTINGS = frozenset({"name", "product", "case", "folder", "pattern", "files"})
"""Keys of tables that say which cases there are, not how they run."""
_WHAT_POINTS_SET = ("qp", "crf", "quality", "bitrate_bits_per_s")
"""Export options that a point of a curve decides."""


def expand_matrix(main: Path, files: dict[Path, MatrixFile], paths: frozenset[str]) -> RunMatrix:
    """Apply what the files say; `files` is in reading order, includes first. Raises `MatrixError`."""
    settings: dict[str, Any] = dict(_DEFAULTS)
    for path, file in files.items():
        settings = _merge(settings, _said(file.defaults, path))
    tables = [
        (f"{path}:{kind}[{index}]", path, table)
        for path, file in files.items()
        for kind, listed in _tables_of(file)
        for index, table in enumerate(listed)
    ]
    if not tables:
        raise MatrixError(f"{main}:case: the matrix has no case; add a [[case]] or [[corpus]] table")
    declared = declared_subjects(files)
    settings = {"subjects": list(dict.fromkeys((*_USUAL_SUBJECTS, *declared.by_name)))} | settings
    footage = declared_footage(files)
    cases: dict[str, Case] = {}
    for where, path, table in tables:
        for name, own in _cases_of(where, path, table):
            merged = _merge(settings, own)
            for override_path, override in _overrides_of(files, name):
                merged = _merge(merged, _said(override, override_path))
            named = [each for written in merged["subjects"] for each in declared.of_table.get(written, (written,))]
            merged = with_footage(f"{where}({name})", merged, footage)
            case = _case(f"{where}({name})", name, merged | {"subjects": named})
            if len(cases) >= MOST_CASES:
                raise MatrixError(f"{where}: more than {MOST_CASES} cases in total")
            if name in cases:
                raise MatrixError(f"{where}({name}): another case has this name; rename one")
            cases[name] = case
            for subject in case.subjects:
                _ensure_subject(f"{where}({name}).subjects", subject, declared, paths)
                _check_setting(f"{where}({name})", case, declared.by_name[subject])
    _check_corpora(files, cases)
    _check_overrides(files, cases)
    used = dict.fromkeys(subject for case in cases.values() for subject in case.subjects)
    return RunMatrix(
        name=main.stem,
        description=files[main].description or "",
        files=tuple(files),
        cases=tuple(cases.values()),
        subjects=tuple(declared.by_name[name] for name in used),
        reference=_reference(files, tuple(used)),
        left_out=_left_out(main, declared, cases.values(), used),
        machines=tuple(choice for file in reversed(files.values()) for choice in file.machine),
        ladders=expand_ladders(files, cases),
    )


def _reference(files: dict[Path, MatrixFile], subjects: tuple[str, ...]) -> str | None:
    """The `reference` of the last file that has one; None if none has."""
    path, reference = next(
        ((path, file.reference) for path, file in reversed(files.items()) if file.reference is not None), (None, None)
    )
    try:
        choose_base(subjects, reference=reference)
    except InputError as error:
        raise MatrixError(f"{path}:reference: {error}") from error
    return reference


def _said(table: BaseModel, path: Path) -> dict[str, Any]:
    """The settings that a table really holds, with file names made absolute against its own folder."""
    held = {key: getattr(table, key) for key in table.model_fields_set - _NO_SETTINGS}
    if held.get("source") is not None:
        held["source"] = (path.parent / held["source"]).resolve()
    if str(held.get("scene") or "").endswith(".toml"):
        held["scene"] = str((path.parent / held["scene"]).resolve())
    return held


def _tables_of(file: MatrixFile) -> tuple[tuple[str, Sequence[CaseTable | CorpusTable]], ...]:
    """The tables of a file that stand for cases, by their key."""
    return ("case", file.case), ("corpus", file.corpus)


def _cases_of(where: str, path: Path, table: CaseTable | CorpusTable) -> list[tuple[str, dict[str, Any]]]:
    """Name and settings of each case that a table stands for: combinations of a product, or clips of a corpus."""
    if isinstance(table, CaseTable):
        return _combinations(where, path, table)
    own, cases = _said(table, path), []
    for clip in find_clips(f"{where}({table.name})", table, path.parent):
        name = f"{table.name}-{clip.name}"
        if len(name) > LONGEST_NAME:
            raise MatrixError(
                f"{where}: the name {shown(name)} is longer than {LONGEST_NAME} characters; shorten the clip's name"
            )
        source = {"source": clip.source} if clip.download is None else {"download": clip.download}
        cases.append((name, own | source | {"corpus": table.name}))
    return cases


def _combinations(where: str, path: Path, table: CaseTable) -> list[tuple[str, dict[str, Any]]]:
    """Name and settings of each case that one table stands for."""
    own = _said(table, path)
    base_name = table.name or ""
    if not table.product:
        if not base_name:
            raise MatrixError(f"{where}.name: a case needs a name")
        return [(base_name, own)]
    for key, values in table.product.items():
        if key not in type(table).model_fields or key in ("name", "product", "curve"):
            raise MatrixError(f"{where}.product.{key}: unknown setting{did_you_mean(key, type(table).model_fields)}")
        if not values:
            raise MatrixError(f"{where}.product.{key}: an empty list leaves no case")
    count = math.prod(len(values) for values in table.product.values())
    if count > MOST_CASES:
        raise MatrixError(f"{where}.product: {count} combinations; at most {MOST_CASES} are allowed")
    combinations = []
    for chosen_values in itertools.product(*table.product.values()):
        chosen: dict[str, Any] = dict(zip(table.product, chosen_values, strict=True))
        try:
            checked = type(table).model_validate({"name": None, **chosen})
        except ValidationError as error:
            problem = error.errors()[0]
            message = problem["msg"].removeprefix("Value error, ")
            raise MatrixError(
                f"{where}.product.{problem['loc'][0]}: {message}, got {shown(problem['input'])}"
            ) from error
        label = "-".join(
            [*([base_name] if base_name else []), *(f"{key}={_word(value)}" for key, value in chosen.items())]
        )
        if len(label) > LONGEST_NAME:
            raise MatrixError(f"{where}: the name {shown(label)} is longer than {LONGEST_NAME} characters; shorten it")
        combinations.append((label, _merge(own, _said(checked, path))))
    return combinations


def _word(value: object) -> str:
    """A product's value as a part of a name."""
    text = Path(value).stem if isinstance(value, str) else str(value)
    return "".join(letter if letter.isalnum() or letter in "._+" else "_" for letter in text)


def _overrides_of(files: dict[Path, MatrixFile], case: str) -> list[tuple[Path, BaseModel]]:
    return [
        (path, override)
        for path, file in files.items()
        for override in file.override
        if fnmatchcase(case, override.case)
    ]


def _check_overrides(files: dict[Path, MatrixFile], cases: dict[str, Case]) -> None:
    """Refuse an override that matches nothing: it is a misspelling."""
    for path, file in files.items():
        for index, override in enumerate(file.override):
            if not any(fnmatchcase(case, override.case) for case in cases):
                raise MatrixError(
                    f"{path}:override[{index}].case: {override.case!r} matches no case; available: {', '.join(cases)}"
                )


def _merge(settings: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """`settings` updated with `said`; settings that exclude one another are dropped."""
    excluded = {
        "source": ("recording", "footage", "duration_s"),
        "download": ("recording", "footage", "duration_s"),
        "footage": ("source", "recording", "duration_s"),
        "recording": ("source", "footage"),
        "quality": ("qp", "curve"),
        "qp": ("quality", "curve"),
        "curve": ("quality", "qp"),
    }
    gone = {other for key in said for other in excluded.get(key, ())}
    return {key: value for key, value in settings.items() if key not in gone} | said


def _case(where: str, name: str, merged: dict[str, Any]) -> Case:
    if all(merged.get(key) is None for key in ("source", "recording", "download")):
        raise MatrixError(f"{where}: give source (a file), recording (a synthetic one) or footage")
    if isinstance(merged.get("recording"), OwnRecording) and merged.get("duration_s") is None:
        raise MatrixError(f"{where}.duration_s: a recording of a custom size needs a length in seconds")
    if not merged["subjects"]:
        raise MatrixError(f"{where}.subjects: an empty list leaves no subject to measure")
    if repeated := {subject for subject in merged["subjects"] if merged["subjects"].count(subject) > 1}:
        raise MatrixError(f"{where}.subjects: {min(repeated)!r} is listed twice")
    if (source := merged.get("source")) is not None and not is_file(source):
        raise MatrixError(f"{where}.source: no such file: {shown(str(source))}")
    scene = merged["scene"]
    if scene.endswith(".toml") and not is_file(Path(scene)):
        raise MatrixError(f"{where}.scene: no such file: {shown(scene)}")
    return Case(name=name, **{key: value for key, value in merged.items() if value is not None})


def _check_setting(where: str, case: Case, subject: Subject) -> None:
    """A subject must follow the case's points, and a command must find the settings that it names."""
    if case.curve is not None:
        parameter = case.curve.parameter
        said = {"the case": case.options, f"subject {subject.name!r}": subject.options}
        for who, options in said.items():
            if fixed := [name for name in _WHAT_POINTS_SET if name in options]:
                raise MatrixError(
                    f"{where}.curve: {who} sets {fixed[0]}, which each point of the curve sets; remove it"
                )
        names = placeholders_of(subject.command)
        if subject.command and not names & {parameter, "encoder_options"}:
            raise MatrixError(
                f"{where}.curve: the command of {subject.name!r} has neither {{{parameter}}} nor {{encoder_options}}: "
                "all its points would be the same"
            )
    settings = case.at(case.points[0])
    known = {
        "qp": settings.qp,
        "crf": settings.options.get("crf"),
        "bitrate": settings.options.get("bitrate_bits_per_s"),
    }
    for name in POINT_PLACEHOLDERS:
        named = placeholders_of((*subject.command, *subject.prepare, *subject.conclude))
        if name in named and known[name] is None:
            raise MatrixError(
                f"{where}: the command of {subject.name!r} needs {{{name}}}, which the case does not set; "
                f"add [case.curve] with {name}, or leave the subject out"
            )


def _check_corpora(files: dict[Path, MatrixFile], cases: dict[str, Case]) -> None:
    """What is pooled over clips stands beside the cases, by the name of the corpus."""
    names: set[str] = set()
    for path, file in files.items():
        for index, table in enumerate(file.corpus):
            if table.name in names or table.name in cases:
                raise MatrixError(f"{path}:corpus[{index}]({table.name}).name: another one has this name; rename one")
            names.add(table.name)


def _ensure_subject(where: str, name: str, declared: DeclaredSubjects, paths: frozenset[str]) -> None:
    """The floor, paths and capacities need no table."""
    if name in declared.by_name:
        return
    subject = subject_without_table(name, paths)
    if subject is None:
        known = sorted({*declared.by_name, *declared.of_table, *names_without_table(paths)})
        raise MatrixError(
            f"{where}: unknown subject {name!r}; add a [[subject]] table or use one of {', '.join(known)}"
            f"{did_you_mean(name, known)}"
        )
    declared.by_name[name] = subject


def _left_out(main: Path, declared: DeclaredSubjects, cases: Iterable[Case], used: Collection[str]) -> dict[str, str]:
    """Subjects of the matrix file itself that no case has; an included file may offer more than is asked for."""
    where = "the `subjects` of its case do" if len(tuple(cases)) == 1 else "the `subjects` of the cases do"
    return {
        name: f"{where} not name it" for name, file in declared.of_file.items() if file == main and name not in used
    }
