"""One result folder as the report reads it: the runs, the plan, the machine, and what could not be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from capbench.errors import ResultError
from capbench.files import is_folder, read_json
from capbench.results import RunResult, RunRole, folder
from capbench.results.folder_plan import FolderPlan, JsonObject, plan_of

__all__ = ["ReportFolder", "RunFile", "is_result_folder", "read_folder", "relative_url"]


@dataclass(frozen=True, slots=True)
class RunFile:
    """One run and where its raw JSON lies."""

    run: RunResult
    """The run."""
    path: Path | None
    """Its file; None where no file has the name that the runner gives."""
    anchor: str
    """Identifier of the run on the page, unique within it."""

    @property
    def is_measured(self) -> bool:
        """Whether the run counts: part of a block, finished, and by the path that was asked for."""
        return self.run.role is RunRole.MEASURE and self.run.succeeded and self.run.ran_as_requested


@dataclass(frozen=True, slots=True)
class ReportFolder:
    """A result folder, read."""

    path: Path
    """The folder."""
    runs: tuple[RunFile, ...]
    """Every run that could be read, warm-ups and drift controls too, ordered by case, block and position."""
    matrix: JsonObject
    """`matrix.json`: the plan, empty where it is missing."""
    contents: folder.FolderContents
    """The folder as the values layer reads it: the machine, the noise, the bare runs."""
    problems: tuple[str, ...]
    """Files that are missing or could not be read, one sentence each."""

    @property
    def name(self) -> str:
        """Last part of the folder's path."""
        return self.path.name

    @property
    def plan(self) -> FolderPlan:
        """The plan, as far as it is known."""
        return plan_of(self.matrix)

    @property
    def started_at(self) -> str:
        """When the first run started, ISO 8601; empty where unknown."""
        return min((file.run.started_at for file in self.runs if file.run.started_at), default="")

    @property
    def machines(self) -> tuple[str, ...]:
        """Fingerprints of the machines that the runs come from, in order of appearance."""
        return tuple(dict.fromkeys(file.run.fingerprint for file in self.runs if file.run.fingerprint))

    @property
    def machine_names(self) -> tuple[str, ...]:
        """Names of the machines that runs name, sorted; empty for a folder of one machine."""
        return tuple(sorted({file.run.machine for file in self.runs if file.run.machine is not None}))

    def of_machine(self, name: str) -> ReportFolder:
        """The part of a folder of several machines that one of them made, as a folder of one."""
        machine = self.contents.machines.get(name)
        return replace(
            self,
            runs=tuple(file for file in self.runs if file.run.machine == name),
            contents=replace(
                self.contents,
                runs=tuple(run for run in self.contents.runs if run.machine == name),
                noise=tuple(noise for noise in self.contents.noise if noise.machine == name),
                environment=None if machine is None else machine.environment,
                machines={},
            ),
        )

    @property
    def blocks(self) -> tuple[RunFile, ...]:
        """The runs that belong to a block, failed ones too."""
        return tuple(run for run in self.runs if run.run.role is RunRole.MEASURE)


def is_result_folder(path: Path) -> bool:
    """Whether a folder holds results of `capbench run`."""
    return is_folder(path / "runs")


def read_folder(path: Path) -> ReportFolder:
    """Read what can be read of a result folder. Raises `ResultError` if it is foreign or from a newer program."""
    contents = folder.read_folder(path)
    problems = list(contents.problems)
    names = {file.name for file in (path / "runs").glob("*.json")}
    runs = []
    for number, run in enumerate(contents.runs, start=1):
        name = f"{folder.run_stem(run)}.json"
        runs.append(RunFile(run, path / "runs" / name if name in names else None, f"run-{number}"))
    return ReportFolder(
        path=path,
        runs=tuple(runs),
        matrix=_read_plan(path / "matrix.json", problems),
        contents=contents,
        problems=tuple(problem.replace(f"{path}/", "") for problem in problems),
    )


def _read_plan(file: Path, problems: list[str]) -> JsonObject:
    """The plan as plain JSON: a page about a plan that a newer runner wrote is better than none."""
    try:
        found = read_json(file, ResultError)
    except ResultError as error:
        missing = not os.path.lexists(file)
        problems.append(f"{file.name} is missing: the plan and the command are unknown" if missing else str(error))
        return {}
    if not isinstance(found, dict):
        problems.append(f"{file.name} holds no JSON object")
        return {}
    return found


def relative_url(target: Path, page_folder: Path | None) -> str:
    """URL of a file relative to the page, so that the link survives moving both together.

    Empty for a page that travels alone (`page_folder` None), whose links would lead nowhere and tell where it was made.
    """
    if page_folder is None:
        return ""
    relative = os.path.relpath(target.resolve(), page_folder.resolve())
    return quote(Path(relative).as_posix())
