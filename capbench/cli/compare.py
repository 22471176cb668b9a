"""`capbench compare`: the gate's verdict on the terminal, as an exit code, and in the formats that CI systems read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table

    from capbench.report.formats.grouping import ShownRow
    from capbench.results import Comparison

__all__ = ["compare"]

_EXAMPLES = """
Examples:

`capbench compare reports/today` (every subject with the folder's base)

`capbench compare reports/today:cpu reports/today:gpu`

`capbench compare reports/today:@main reports/today` (after `capbench run ... --against main`)

`capbench compare reports/main reports/branch --gates matrix/gates.toml --junit gate.xml`

`capbench compare reports/baseline.json reports/today --github`
"""
_NOTHING_APPLIES = 4
_LOG_COLUMNS = 150
"""Width of the table where no terminal says one."""
_NARROW_COLUMNS = 100
"""Below this the smallest visible effect has no column: the others would wrap."""
_FIGURE_COLUMNS = 16
"""So that `frame count` and `peak memory` do not wrap."""


def _file_option(name: str, help_text: str) -> Any:
    return typer.Option(name, metavar="FILE", help=help_text)


@app.command(epilog=_EXAMPLES)
def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="DIR, DIR:SUBJECT or a baseline's JSON file.")],
    new: Annotated[
        str | None,
        typer.Argument(
            metavar="[NEW]",
            help="DIR or DIR:SUBJECT, as on the other side. Left out: every subject of BASE, a folder, with its base.",
            show_default=False,
        ),
    ] = None,
    *,
    base_subject: Annotated[
        str | None,
        typer.Option(
            "--base", metavar="SUBJECT", help="Without NEW: the subject to compare with, not the folder's own base."
        ),
    ] = None,
    gates: Annotated[Path | None, _file_option("--gates", "Margins, claims and limits; docs/gate.md.")] = None,
    json_file: JsonTarget = None,
    junit: Annotated[Path | None, _file_option("--junit", "Write JUnit XML.")] = None,
    summary: Annotated[Path | None, _file_option("--summary", "Write every figure as markdown.")] = None,
    comment: Annotated[Path | None, _file_option("--comment", "Write the body of a pull-request comment.")] = None,
    badge: Annotated[Path | None, _file_option("--badge", "Write a badge's JSON for shields.io.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations, and append to $GITHUB_STEP_SUMMARY.")
    ] = False,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="A measurement on a software adapter is invalid.")
    ] = False,
) -> None:
    """Say whether NEW is better, the same or worse than BASE, and whether that is shown.

    Exits with 0 when all verdicts pass, 1 when something is worse or invalid, 3 when the runs could not have seen the
    effect that is asked about, and 4 when nothing of it applies to this machine.
    """
    from capbench.gate.compare_targets import compare_folder, compare_sides, parse_side
    from capbench.gate.gate_file import GateFile, load_gate_file  # pydantic and pandas
    from capbench.report.formats.github import badge_json
    from capbench.report.formats.junit import junit_xml
    from capbench.report.formats.pull_request import pull_request_comment, step_summary
    from capbench.results import Verdict

    loaded = GateFile() if gates is None else load_gate_file(gates)
    if require_gpu:
        loaded = loaded.model_copy(update={"gate": loaded.gate.model_copy(update={"require_gpu": True})})
    if new is None:
        comparison = compare_folder(Path(base), loaded, base=base_subject)
    elif base_subject is not None:
        raise InputError("--base is for one folder without NEW; BASE and NEW say themselves what is compared")
    else:
        comparison = compare_sides(parse_side(base), parse_side(new), loaded)
    for path, render in ((junit, junit_xml), (summary, step_summary), (comment, pull_request_comment)):
        if path is not None:
            _write(path, render(comparison))
    if badge is not None:
        _write(badge, badge_json(comparison))
    if json_file is not None:
        write_json(comparison, json_file)
    if json_file != "-":
        _show(comparison)
    if github:
        _tell_github(comparison)
    nothing_applies = comparison.verdict is Verdict.NOT_APPLICABLE
    raise typer.Exit(_NOTHING_APPLIES if nothing_applies else comparison.exit_code)


def _write(path: Path, text: str) -> None:
    from capbench.files import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _tell_github(comparison: Comparison) -> None:
    """Annotations go to stderr: a runner reads both streams, and stdout may be JSON."""
    from capbench.report.formats.github import annotation_lines
    from capbench.report.formats.pull_request import step_summary

    for line in annotation_lines(comparison):
        typer.echo(line, err=True)
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return
    try:
        with Path(target).open("a", encoding="utf-8") as file:  # other steps' summaries stand before it
            file.write(step_summary(comparison))
    except OSError as error:
        raise OutputError(f"cannot append to {target}: {error.strerror or error}") from error


def _show(comparison: Comparison) -> None:
    from rich.console import Console  # --json needs no table

    from capbench.report.formats.grouping import shared_reasons

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_COLUMNS
    for table in _tables(comparison, is_narrow=console.width < _NARROW_COLUMNS):
        console.print(table)
    for warning in (*shared_reasons(comparison.verdicts), *comparison.warnings):
        console.print(f"note: {warning}", markup=False, soft_wrap=True)
    if comparison.base_note:
        console.print(comparison.base_note, markup=False, soft_wrap=True)
    console.print(comparison.sentence, markup=False, soft_wrap=True)


def _tables(comparison: Comparison, *, is_narrow: bool) -> Iterator[Table]:
    """One table for each case and pair of subjects, titled with both: several pairs have the same figures."""
    from capbench.report.formats.grouping import condensed

    groups: dict[tuple[str, str, str], list[ShownRow]] = {}
    for shown in condensed(comparison.verdicts):
        groups.setdefault((shown.row.case, shown.row.new, shown.row.base), []).append(shown)
    for (case, new, base), rows in groups.items():
        yield _table(f"{case}: {new} against {base}", rows, is_narrow=is_narrow)


def _table(title: str, rows: Iterable[ShownRow], *, is_narrow: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    styles = {"better": "green", "worse": "bold red", "invalid": "bold red", "undecided": "yellow"}
    table = Table(
        title=Text(title, "bold"),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("figure", min_width=_FIGURE_COLUMNS)
    for name in ("base", "new", "change", "interval", *(() if is_narrow else ("visible",))):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    for shown in rows:
        cells = _cells(shown)
        word = shown.row.label
        table.add_row(*map(Text, cells[:-1] if is_narrow else cells), Text(word, styles.get(word, "")))
    return table


def _cells(shown: ShownRow) -> tuple[str, ...]:
    """All columns but the verdict."""
    from capbench.gate.judged_metrics import describe_metric
    from capbench.gate.verdicts.phrases import bounds, change, signed_difference

    row, metric = shown.row, describe_metric(shown.row.metric)
    is_interval = row.interval is not None and row.interval[0] != row.interval[1] and row.ratio is not None
    return (
        shown.words,
        "" if row.base_median is None else metric.format(row.base_median),
        "" if row.new_median is None else metric.format(row.new_median),
        change(row.ratio) if row.ratio is not None else signed_difference(metric, row.difference),
        bounds(*row.interval) if is_interval and row.interval is not None else "",
        "" if row.detectable_ratio is None else f"{(row.detectable_ratio - 1) * 100:+.1f}%",
    )
