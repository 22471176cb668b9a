"""A result folder arranged for the page: the template only lays out what stands here."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capbench.gate.ladder_costs import ladder_costs
from capbench.gate.statistics.inference import Levels
from capbench.report.aggregate import Cell, all_cells_of, cells_of
from capbench.report.capacity import CapacityRow, capacity_rows
from capbench.report.cell_words import software_note, timing_notes
from capbench.report.page.case_view import CaseView, arrange_case
from capbench.report.page.curve_view import CurveView, arrange_curves
from capbench.report.page.frame_crops import PictureStore
from capbench.report.page.headline import Headline, compose_headline
from capbench.report.page.ladder_view import LadderView, arrange_ladders
from capbench.report.page.overview_rows import Row, arrange_rows
from capbench.report.palette import SubjectStyle, style_subjects
from capbench.report.report_folder import ReportFolder, RunFile, relative_url
from capbench.report.wording import revision_words, shorten
from capbench.results import Comparison, RunRole
from capbench.results.environment import BlockNoise
from capbench.results.folder import RunEvidence, read_evidence, run_stem
from capbench.results.subject_name import SubjectName, revision_label
from capbench.results.tidy_table import table_of
from capbench.units import format_bytes

__all__ = [
    "PICTURE_BUDGET_BYTES",
    "FolderFacts",
    "FolderView",
    "Machine",
    "RunRow",
    "arrange_folder",
    "folder_facts",
]

PICTURE_BUDGET_BYTES = 4_000_000
"""For all pictures inside a page: it may take 5 MB whole, and charts and tables of the standard matrix take about 1."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the runs were made."""

    adapter: str
    """GPU adapters that runs were drawn by, in words; empty where none reported one, as other programs do."""
    is_software: bool
    """Whether it draws on the CPU."""
    host: str
    """CPU, memory and system in words, as far as known."""
    fingerprints: tuple[str, ...]
    """Identifiers of the machines, more than one where a folder was mixed."""

    @property
    def sentence(self) -> str:
        """What drew and where: nothing is said of an adapter that no run used."""
        parts = ((f"drawn by {self.adapter}",) if self.adapter else ()) + ((f"on {self.host}",) if self.host else ())
        words = ", ".join(parts)
        return f"{words[:1].upper()}{words[1:]}." if words else ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list of runs: the end of every figure's trail."""

    file: RunFile
    """The run."""
    link: str
    """Relative URL of its raw JSON, empty where its file is unknown."""
    status: str
    """`measured`, or why it does not count."""
    evidence: tuple[tuple[str, str], ...] = ()
    """Name and relative URL of its log, and of its output where that was kept."""


@dataclass(frozen=True, slots=True)
class FolderView:
    """Everything that the page shows of one folder."""

    name: str
    """Name of the folder."""
    matrix_name: str
    """Name of the matrix, empty where unknown."""
    started_at: str
    """When the first run started, empty where unknown."""
    revision: str
    """Git revision, empty where unknown."""
    headline: Headline
    """The verdict."""
    comparison: Comparison | None
    """What the headline speaks about."""
    scope: str
    """How much was measured, and which subject is base: one or two sentences."""
    software: str | None
    """The banner of a software adapter."""
    machine: Machine
    """Where it was measured."""
    styles: Mapping[str, SubjectStyle]
    """Colour and marker of each subject."""
    base: str
    """Baseline subject or revision, empty without a comparison."""
    rows: tuple[Row, ...]
    """The table of the first screen."""
    capacities: tuple[CapacityRow, ...]
    """What stages could deliver alone; empty where that was not measured."""
    curves: tuple[CurveView, ...]
    """Curves and corpora, one section each; empty where there are none."""
    ladders: tuple[LadderView, ...]
    """Ladders, one section each; empty where there are none."""
    cases: tuple[CaseView, ...]
    """One section each."""
    runs: tuple[RunRow, ...]
    """Every run."""
    warnings: tuple[str, ...]
    """What the reader should know, once each."""
    environment: tuple[tuple[str, str], ...]
    """The machine, key and value."""
    plan: tuple[tuple[str, str], ...]
    """Seed, blocks and so on, key and value."""
    command: str
    """Command that repeats the measurement, empty where unknown."""
    raw_folder: str
    """Relative URL of the folder with the raw JSON, empty for a page that travels alone."""
    picture_files: Mapping[str, bytes]
    """Pictures that lie beside the page, by their names in the folder that they were arranged for."""

    @property
    def loads_files(self) -> bool:
        """Whether the page shows pictures or videos that lie beside it."""
        return bool(self.picture_files) or any(case.viewer.videos for case in self.cases)


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """Where a folder comes from, in words; empty where unknown."""

    matrix_name: str
    """Name of the matrix."""
    started_at: str
    """When the first run started."""
    revision: str
    """Git revisions of what was measured."""
    command: str
    """Command that repeats the measurement."""
    plan: tuple[tuple[str, str], ...]
    """The plan without its cases and subjects, which pages show one by one, and its command, shown to be copied."""


def folder_facts(folder: ReportFolder) -> FolderFacts:
    """Where a folder comes from."""
    starts = sorted(file.run.started_at for file in folder.runs if file.run.started_at)
    revisions = dict.fromkeys(file.run.revision for file in folder.runs if file.run.revision)
    return FolderFacts(
        matrix_name=_matrix_name(folder),
        started_at=starts[0].replace("T", " ").split(".")[0].removesuffix("Z") + " UTC" if starts else "",
        revision=", ".join(revision_words(revision) for revision in revisions),
        command=_command(folder),
        plan=tuple(flatten({key: value for key, value in folder.matrix.items() if key not in ("matrix", "command")})),
    )


def arrange_folder(
    folder: ReportFolder,
    comparisons: Sequence[Comparison],
    page_folder: Path | None,
    *,
    problems: Sequence[str] = (),
    charts: bool = True,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    picture_files_url: str | None = None,
    levels: Levels | None = None,
) -> FolderView:
    """Arrange a folder for a page that will lie in `page_folder`, or that will travel alone where it is None.

    `problems` are sentences about what could not be judged. Without `charts` the case sections stay empty.
    `picture_bytes` is what all pictures of frames may take inside the page; the others are meant for a folder of the
    relative URL `picture_files_url`, and left out where that is None. `levels` are those of the gate file, by which the
    costs of ladders are judged.
    """
    cells = cells_of(folder)
    styles = style_subjects(subject for subjects in cells.values() for subject in subjects)
    main = next((one for one in comparisons if one.new == "gpu"), comparisons[0] if comparisons else None)
    store = PictureStore(picture_bytes, cases=len(cells), files_url=picture_files_url)
    cases = tuple(
        arrange_case(
            folder,
            case,
            subjects,
            comparisons,
            styles,
            anchor=f"case-{number}",
            page_folder=page_folder,
            store=store,
        )
        for number, (case, subjects) in enumerate(cells.items() if charts else (), start=1)
    )
    evidence = read_evidence(folder.path)
    facts = folder_facts(folder)
    return FolderView(
        name=folder.name,
        matrix_name=facts.matrix_name,
        started_at=facts.started_at,
        revision=facts.revision,
        headline=compose_headline(main, cells),
        comparison=main,
        scope=" ".join(
            filter(None, (_scope(folder, cells), shorten(main.base_note, 160) if main else "", *timing_notes(folder)))
        ),
        software=software_note(folder),
        machine=_machine(folder),
        styles=styles,
        base=_base_words(main),
        rows=arrange_rows(cells, comparisons, styles),
        capacities=capacity_rows(all_cells_of(folder)),
        curves=_curves(folder, comparisons, styles, charts=charts),
        ladders=_ladders(folder, styles, levels, charts=charts),
        cases=cases,
        runs=tuple(
            RunRow(
                file,
                relative_url(file.path, page_folder) if file.path else "",
                _status(file),
                _links(evidence.get(run_stem(file.run)), page_folder),
            )
            for file in folder.runs
        ),
        warnings=_warnings(folder, comparisons, problems),
        environment=tuple(
            flatten(folder.contents.environment.model_dump(mode="json")) if folder.contents.environment else ()
        ),
        plan=(
            *facts.plan,
            ("blocks", str(len({run.run.block for run in folder.blocks}))),
            ("runs", str(len(folder.runs))),
        ),
        command=facts.command,
        raw_folder=relative_url(folder.path / "runs", page_folder),
        picture_files=store.files,
    )


def _links(evidence: RunEvidence | None, page_folder: Path | None) -> tuple[tuple[str, str], ...]:
    if evidence is None or page_folder is None:
        return ()
    named = (("log", evidence.log), ("output", evidence.output))
    return tuple((name, relative_url(path, page_folder)) for name, path in named if path is not None)


def _curves(
    folder: ReportFolder, comparisons: Sequence[Comparison], styles: Mapping[str, SubjectStyle], *, charts: bool
) -> tuple[CurveView, ...]:
    """Sections of curves and corpora; most folders have none, and need no table for them."""
    if not any(file.run.point is not None or file.run.corpus is not None for file in folder.blocks):
        return ()
    return arrange_curves(table_of([folder.contents]), comparisons, styles, charts=charts)


def _ladders(
    folder: ReportFolder, styles: Mapping[str, SubjectStyle], levels: Levels | None, *, charts: bool
) -> tuple[LadderView, ...]:
    """Sections of ladders; most folders have none, and need no table for them."""
    if not folder.plan.ladders:
        return ()
    costs = ladder_costs(table_of([folder.contents]), folder.plan.ladders, levels, subjects=folder.plan.subjects)
    return arrange_ladders(costs, styles, charts=charts)


def _base_words(comparison: Comparison | None) -> str:
    """The baseline's name; `@REV` where each subject is compared with itself at another revision."""
    bases = list(dict.fromkeys(verdict.base for verdict in comparison.verdicts)) if comparison else []
    revisions = {SubjectName.parse(base).revision for base in bases}
    return revision_label(revisions.pop()) if len(revisions) == 1 and "" not in revisions else ", ".join(bases)


def _matrix_name(folder: ReportFolder) -> str:
    matrix = folder.matrix.get("matrix")
    return str(matrix.get("name") or "") if isinstance(matrix, dict) else ""


def _scope(folder: ReportFolder, cells: Mapping[str, Mapping[str, Cell]]) -> str:
    measured = sum(file.is_measured for file in folder.blocks)
    subjects = {subject for subjects in cells.values() for subject in subjects}
    blocks = len({file.run.block for file in folder.blocks})
    counts = ((len(cells), "case"), (len(subjects), "subject"), (blocks, "block"), (measured, "measured run"))
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts) + "."


def _status(file: RunFile) -> str:
    run = file.run
    if run.error is not None:
        return f"failed: {run.error}"
    if run.role is not RunRole.MEASURE:
        return {"warmup": "warm-up, discarded", "trial": "trial in slices, discarded"}.get(
            run.role.value, "drift control"
        )
    if run.path_used != run.path_requested:
        return f"used path {run.path_used} instead of {run.path_requested}: not counted"
    if not run.ran_as_requested:
        return f"used decoder {run.decoder_used} instead of {run.decoder_requested}: not counted"
    return "measured"


def _machine(folder: ReportFolder) -> Machine:
    adapters = dict.fromkeys(file.run.adapter for file in folder.runs if file.run.adapter)
    machine = folder.contents.environment
    host: list[str | None] = []
    if machine is not None:
        cores = f"{machine.cores_usable or machine.cores_logical} cores" if machine.cores_logical else None
        memory = f"{machine.memory_gib} GiB memory" if machine.memory_gib else None
        host = [machine.cpu_model, cores, memory, machine.os]
    return Machine(
        adapter=", ".join(adapters),
        is_software=any(file.run.adapter_is_software for file in folder.runs),
        host=", ".join(part for part in host if part),
        fingerprints=folder.machines,
    )


def _warnings(folder: ReportFolder, comparisons: Sequence[Comparison], problems: Sequence[str]) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    if len(folder.machines) > 1:
        machines = ", ".join(folder.machines)
        found[f"The runs come from {len(folder.machines)} machines ({machines}): times are not comparable"] += 1
    blocks = {file.run.block for file in folder.blocks if file.is_measured}
    if len(blocks) == 1:
        found["Only one block was run: noise cannot be estimated, so there are no intervals"] += 1
    failed: Counter[tuple[str, str, str]] = Counter()
    for file in folder.blocks:
        if file.run.error is not None:
            failed[(file.run.case, file.run.subject, file.run.error)] += 1
    for (case, subject, error), count in failed.items():
        found[f"{shorten(subject)} failed {count} times at {shorten(case)}: {error}"] += 1
    for file in folder.runs:
        for words in (*file.run.warnings, *file.run.fallbacks):
            found[words] += 1
    for words in (*_conditions(folder), *_disturbed(folder)):
        found[words] += 1
    skipped = folder.matrix.get("skipped")
    own = [f"{name} was skipped: {why}" for name, why in skipped.items()] if isinstance(skipped, dict) else []
    matrix = folder.matrix.get("matrix")
    left_out = matrix.get("left_out") if isinstance(matrix, dict) else None
    own += [f"{name} took no part: {why}" for name, why in left_out.items()] if isinstance(left_out, dict) else []
    repeated = (f"{words} ({count} runs)" if count > 1 else words for words, count in found.items())
    judged = (words for comparison in comparisons for words in comparison.warnings)
    return tuple(dict.fromkeys((*folder.problems, *problems, *repeated, *own, *judged)))


def _disturbed(folder: ReportFolder) -> Iterator[str]:
    """One sentence a case: the noise of every block stands in its own file."""
    noise = folder.contents.noise
    for case in dict.fromkeys(block.case for block in noise):
        blocks = [block for block in noise if block.case == case]
        disturbed = [words for block in blocks if (words := _disturbances(block))]
        if disturbed:
            example = "; ".join(disturbed[0])
            yield f"{shorten(case)}: {len(disturbed)} of {len(blocks)} blocks were disturbed, for example: {example}"


def _disturbances(block: BlockNoise) -> list[str]:
    """What disturbed a block, without the state of the machine, which is said for all blocks at once."""
    conditions = {warning.text for warning in block.conditions}
    return [words for words in block.warnings if words not in conditions]


def _conditions(folder: ReportFolder) -> Iterator[str]:
    """One sentence for each state of the machine that may have distorted blocks."""
    noise = folder.contents.noise
    found = Counter(warning.text for block in noise for warning in block.conditions)
    for text, count in found.items():
        yield f"In {count} of {len(noise)} blocks {text}. All of them count in full"


def flatten(value: object, path: str = "") -> list[tuple[str, str]]:
    """Nested JSON as key and value for a two-column table; keys are joined by spaces, short lists by commas."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flatten(inner, f"{path} {key}".strip())]
    if isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        return [pair for number, inner in enumerate(value, start=1) for pair in flatten(inner, f"{path} {number}")]
    if isinstance(value, list):
        return [(path, ", ".join(str(inner) for inner in value))] if value else []
    if value is None:
        return [(path, "unknown")]
    if path.endswith("_bytes") and isinstance(value, int | float):
        return [(path.removesuffix("_bytes"), format_bytes(value))]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


def _command(folder: ReportFolder) -> str:
    command = folder.matrix.get("command")
    if isinstance(command, list):
        return shlex.join(str(part) for part in command)
    return str(command) if command else ""
