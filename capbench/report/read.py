"""One result folder as the report reads it: the runs, the plan, the machine, and what could not be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from capbench.errors import ResultError
from capbench.results import RunResult, RunRole

__all__ = ["JsonObject", "ReportFolder", "RunFile", "is_result_folder", "read_folder"]

JsonObject = dict[str, object]
"""A JSON object whose keys another module decides."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """One run and where its raw JSON lies."""

    run: RunResult
    """The run."""
    path: Path
    """Its file."""
    anchor: str
    """Identifier of the run on the page, unique within it."""

    @property
    def is_measured(self) -> bool:
        """Whether the run counts: part of a block, finished, and by the path that was asked for."""
        return self.run.role is RunRole.MEASURE and self.run.succeeded and self.run.took_requested_path


@dataclass(frozen=True, slots=True)
class ReportFolder:
    """A result folder, read."""

    path: Path
    """The folder."""
    runs: tuple[RunFile, ...]
    """Every run that could be read, warm-ups and drift controls too, ordered by case, block and position."""
    matrix: JsonObject
    """The resolved plan, empty where it is missing."""
    environment: JsonObject
    """The machine, empty where it is missing."""
    problems: tuple[str, ...]
    """Files that are missing or could not be read, one sentence each."""

    @property
    def name(self) -> str:
        """Last part of the folder's path."""
        return self.path.name

    @property
    def blocks(self) -> tuple[RunFile, ...]:
        """The runs that belong to a block, failed ones too."""
        return tuple(run for run in self.runs if run.run.role is RunRole.MEASURE)


def is_result_folder(path: Path) -> bool:
    """Whether a folder holds results of `capbench run`."""
    return (path / "matrix.json").is_file() or (path / "runs").is_dir()


def read_folder(path: Path) -> ReportFolder:
    """Read what can be read of a result folder. Raises `ResultError` if it is no result folder at all."""
    if not path.is_dir():
        raise ResultError(f"no result folder at {path}; make one with: capbench run quick")
    if not is_result_folder(path):
        raise ResultError(f"{path} holds neither matrix.json nor runs/; name a folder that `capbench run` wrote")
    problems: list[str] = []
    files: list[tuple[RunResult, Path]] = []
    for file in sorted((path / "runs").glob("*.json")):
        try:
            files.append((RunResult.model_validate_json(file.read_bytes()), file))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            problems.append(f"runs/{file.name} was left out: {where}: {first['msg']}")
        except OSError as error:
            problems.append(f"runs/{file.name} was left out: {error.strerror or error}")
    files.sort(key=lambda pair: (pair[0].case, pair[0].block, pair[0].order, pair[0].subject))
    runs = tuple(RunFile(run, file, f"run-{number}") for number, (run, file) in enumerate(files, start=1))
    return ReportFolder(
        path=path,
        runs=runs,
        matrix=_read_object(path / "matrix.json", problems),
        environment=_read_object(path / "environment.json", problems),
        problems=tuple(problems),
    )


def _read_object(file: Path, problems: list[str]) -> JsonObject:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{file.name} is missing")
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{file.name} cannot be read: {error}")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{file.name} holds no JSON object")
        return {}
    return found
