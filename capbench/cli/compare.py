"""`capbench compare`: the gate's verdict on the terminal, as an exit code, and in the formats that CI systems read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.errors import InputError, OutputError

if TYPE_CHECKING:
    from capbench.results import Comparison

__all__ = ["compare", "exit_code_of_comparison", "show_comparison"]

_EXAMPLES = """
Examples:

`capbench compare reports/today` (every subject with the folder's base)

`capbench compare reports/today:cpu reports/today:gpu`

`capbench compare reports/today:@main reports/today` (after `capbench run ... --against main`)

`capbench compare reports/main reports/branch --gates matrix/gates.toml --junit gate.xml`

`capbench compare reports/baseline.json reports/today --github`
"""
_NOTHING_APPLIES = 4
_MOST_FAILURES = 3
"""Failed runs that are listed."""
_NARROW_COLUMNS = 100
"""Below this the minimum detectable slowdown has no column: the others would wrap."""


def _file_option(name: str, help_text: str) -> Any:
    return typer.Option(name, metavar="FILE", help=help_text)


@app.command(epilog=_EXAMPLES)
def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="DIR, DIR:SUBJECT or the JSON file of a baseline.")],
    new: Annotated[
        str | None,
        typer.Argument(
            metavar="[NEW]",
            help="DIR or DIR:SUBJECT (default: compare every subject of the folder BASE with its base).",
            show_default=False,
        ),
    ] = None,
    *,
    base_subject: Annotated[
        str | None,
        typer.Option(
            "--base", metavar="SUBJECT", help="Without NEW, the subject to compare with (default: the folder's base)."
        ),
    ] = None,
    gates: Annotated[
        Path | None, _file_option("--gates", "Gate file with margins, claims and limits; see docs/gate.md.")
    ] = None,
    json_file: JsonTarget = None,
    junit: Annotated[Path | None, _file_option("--junit", "Write the verdicts as JUnit XML.")] = None,
    summary: Annotated[Path | None, _file_option("--summary", "Write every figure as markdown.")] = None,
    comment: Annotated[Path | None, _file_option("--comment", "Write the body of a pull-request comment.")] = None,
    code_quality: Annotated[
        Path | None, _file_option("--code-quality", "Write what is worse or undecided as a report for GitLab.")
    ] = None,
    badge: Annotated[Path | None, _file_option("--badge", "Write the JSON of a shields.io badge.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub annotations and append to $GITHUB_STEP_SUMMARY.")
    ] = False,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Treat measurements on a software adapter as invalid.")
    ] = False,
) -> None:
    """Decide whether NEW is better than, the same as or worse than BASE, with the evidence.

    Exit codes: 0 when all verdicts pass, 1 when something is worse or invalid, 3 when the runs are too few or too noisy
    to decide, 4 when nothing applies to this machine.
    """
    from capbench.gate.compare_targets import compare_folder, compare_sides, parse_side
    from capbench.gate.gate_file import GateFile, load_gate_file  # pydantic and pandas
    from capbench.report.formats.ci.code_quality import code_quality_json
    from capbench.report.formats.ci.github import badge_json
    from capbench.report.formats.ci.junit import junit_xml
    from capbench.report.formats.ci.pull_request import pull_request_comment, step_summary

    loaded = GateFile() if gates is None else load_gate_file(gates)
    if require_gpu:
        loaded = loaded.model_copy(update={"gate": loaded.gate.model_copy(update={"require_gpu": True})})
    if new is None:
        comparison = compare_folder(Path(base), loaded, base=base_subject)
    elif base_subject is not None:
        raise InputError("--base applies to one folder without NEW; BASE and NEW already name what is compared")
    else:
        comparison = compare_sides(parse_side(base), parse_side(new), loaded)
    for path, render in ((junit, junit_xml), (summary, step_summary), (comment, pull_request_comment)):
        if path is not None:
            _write(path, render(comparison))
    if code_quality is not None:
        _write(code_quality, code_quality_json(comparison, gates))
    if badge is not None:
        _write(badge, badge_json(comparison))
    if json_file is not None:
        write_json(comparison, json_file)
    if json_file != "-":
        show_comparison(comparison)
    if github:
        _tell_github(comparison)
    raise typer.Exit(exit_code_of_comparison(comparison))


def _on(machine: str | None) -> str:
    return "" if machine is None else f"{machine}, "


def _write(path: Path, text: str) -> None:
    from capbench.files import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _tell_github(comparison: Comparison) -> None:
    """Annotations go to stderr: a runner reads both streams, and stdout may be JSON."""
    from capbench.report.formats.ci.github import annotation_lines
    from capbench.report.formats.ci.pull_request import step_summary

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


def exit_code_of_comparison(comparison: Comparison) -> int:
    """0 when all verdicts pass, 1 worse or invalid, 3 undecided, 4 when nothing applies to this machine."""
    from capbench.results import Verdict

    return _NOTHING_APPLIES if comparison.verdict is Verdict.NOT_APPLICABLE else comparison.exit_code


def show_comparison(comparison: Comparison) -> None:
    """The verdicts as tables, what the reader should know, and the one sentence."""
    from capbench.report.formats.gate_tables import comparison_tables, ladder_table  # --json needs no table
    from capbench.report.formats.grouping import shared_reasons
    from capbench.report.formats.machine_tables import machine_tables
    from capbench.report.formats.terminal_table import open_console, print_line

    console = open_console()
    tables = machine_tables if comparison.over_machines else comparison_tables
    for table in tables(comparison, is_narrow=console.width < _NARROW_COLUMNS):
        console.print(table)
    for ladder in comparison.ladders:
        console.print(ladder_table(ladder, is_narrow=console.width < _NARROW_COLUMNS))
    reasons = () if comparison.over_machines else shared_reasons(comparison.verdicts)  # a machine's row has its own
    for warning in (*reasons, *comparison.warnings):
        print_line(console, f"note: {warning}")
    for failure in comparison.failures[:_MOST_FAILURES]:
        files = "".join(
            f"; {what}: {path}" for what, path in (("log", failure.log), ("output", failure.output)) if path
        )
        where = f"{failure.case}, {failure.subject}, {_on(failure.machine)}block {failure.block}"
        print_line(console, f"failed: {where}: {failure.reason}{files}")
    if comparison.base_note:
        print_line(console, comparison.base_note)
    print_line(console, comparison.sentence)
