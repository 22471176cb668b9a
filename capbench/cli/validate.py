"""`capbench validate`: quality and integrity of an output, compared with its reference."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.cli.fleet_verbs.connection import Certificates, Insecure, refuse_idle_security
from capbench.cli.ignored_options import refuse_ignored
from capbench.errors import InputError, OutputError, PartError
from capbench.results.metric_registry import DEFAULT_METRICS
from capbench.results.visible_text import plain_line
from capbench.units import parse_rate

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from capbench.fleet.spreading.fleet_parts import FleetParts
    from capbench.harness.worker.part_processes import PartProcesses
    from capbench.results import ValidationReport
    from capbench.results.appearance.expected_look import ExpectedLook

__all__ = ["validate"]

_MOST_PARTS = 256
"""Processes of one validation: each holds 0.3 GB at 1080p and 0.8 GB at 4K."""


@app.command(epilog="Example: `capbench validate recording.mp4 export.mp4 --save-frames worst --json report.json`")
def validate(  # noqa: PLR0917  options of the command line have names there
    context: typer.Context,
    reference: Annotated[Path | None, typer.Argument(help="Reference file.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Argument(help="File to check.", show_default=False)] = None,
    json: JsonTarget = None,
    save_frames: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for pictures of the worst frames: reference, output, amplified difference."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the metrics of every frame as CSV.")] = None,
    expect_size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Intended output size, if the export scales (default: that of the reference)."
        ),
    ] = None,
    expect_fps: Annotated[
        str | None,
        typer.Option(
            metavar="F",
            help="Intended constant frame rate, such as 30000/1001 (default: frame times of the reference).",
        ),
    ] = None,
    expect_depth: Annotated[
        int | None,
        typer.Option(metavar="BITS", min=8, max=16, help="Intended bits per sample (default: those of the reference)."),
    ] = None,
    tone_map: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare an SDR output with what this tone map makes of an HDR reference: bt2390, as in "
            "`capbench export`.",
        ),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of what was asked of an output in a look of its own (padding, zooms, ...): its effects are "
            "judged instead of its pixels.",
        ),
    ] = None,
    expect_scene: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The same, asked by a scene: a shipped one or a scene file."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help=f"Metrics to report, such as psnr,vmaf,cambi; {DEFAULT_METRICS} stands for the default ones "
            f"(default: {DEFAULT_METRICS}).",
        ),
    ] = None,
    list_metrics: Annotated[
        bool, typer.Option("--list-metrics", help="List the metrics, and whether this machine computes them.")
    ] = False,
    vmaf: Annotated[
        bool,
        typer.Option(help="Measure what libvmaf computes, if an FFmpeg here has it. It takes most of the time."),
    ] = True,
    parts: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=_MOST_PARTS,
            help="Measure pictures in N processes side by side, each a part of the frames; every figure is that of one "
            "piece.",
        ),
    ] = None,
    fleet: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER",
            help="Measure pictures in parts on the machines of a fleet (`capbench fleet`), HOST:PORT or local:N.",
        ),
    ] = None,
    certificates: Certificates = None,
    insecure: Insecure = False,
) -> None:
    """Check pictures, colours, frames, times and sound of an output against a reference; any exporter may have made it.

    Exit codes: 0 when every check passed or does not apply, 1 when one failed or could not be made, 2 when a file
    cannot be read or a metric is unknown.
    """
    if list_metrics:
        idle = {*context.params} - {"list_metrics", "json"}
        refuse_ignored(context, idle, why="with --list-metrics, which measures nothing; omit one of the two")
        _list_metrics(json)
        return
    refuse_idle_security(context, fleet)
    if reference is None or output is None:
        raise InputError("name two files: capbench validate REFERENCE OUTPUT")
    from capbench.pipeline.decode.hdr.hdr_source import check_tone_map  # decoding libraries are slow to import
    from capbench.quality.expectation import Expectation
    from capbench.quality.validate import validate as validate_files
    from capbench.quality.worst_frames import write_frame_csv

    chosen = None if metrics is None else tuple(metrics.split(","))
    spread = _Spread(parts, fleet, certificates, insecure, chosen, vmaf)
    expected = Expectation(
        size=None if expect_size is None else _parse_size(expect_size),
        rate=None if expect_fps is None else parse_rate(expect_fps),
        bits=expect_depth,
        tone_map=None if tone_map is None else check_tone_map(tone_map),
        look=_asked_look(expect, expect_scene),
    )
    if expected.look is not None and save_frames is not None:
        raise InputError("--save-frames needs pixels that are compared; omit it with --expect and --expect-scene")
    if parts is not None and fleet is not None:
        raise InputError("--parts is of this machine and --fleet of others; pass one of them")
    with _progress() as progress:
        task = progress.add_task("frames", total=None)
        measure = partial(
            validate_files,
            reference,
            output,
            expected=expected,
            save_frames=save_frames,
            on_frame=lambda done: progress.update(task, completed=done),
            metrics=chosen,
            with_vmaf=vmaf,
        )
        report = _measured(measure, reference, output, spread)
    if csv is not None:
        write_frame_csv(report, csv)
    if json is not None:
        write_json(report, json)
    if json != "-":
        try:
            _print_report(report)
        except BrokenPipeError:
            raise  # whoever read it has gone, which is no fault
        except OSError as error:  # a full disk behind `> FILE`
            raise OutputError(f"cannot write to stdout: {error.strerror or error}") from error
    if not report.passed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Where pictures are measured: here in one piece, in processes of this machine, or on a fleet."""

    parts: int | None
    fleet: str | None
    certificates: Path | None
    insecure: bool
    metrics: tuple[str, ...] | None
    with_vmaf: bool


def _measured(
    measure: Callable[..., ValidationReport], reference: Path, output: Path, spread: _Spread
) -> ValidationReport:
    """As asked, or in one piece where parts would not give its figures: a file that decodes differently twice."""
    if spread.parts is None and spread.fleet is None:
        return measure()
    try:
        with _runner(reference, output, spread) as runner:
            return measure(in_parts=runner)
    except PartError as error:
        _say(f"measured in one piece, because {error}")
    return measure()


def _runner(
    reference: Path, output: Path, spread: _Spread
) -> contextlib.AbstractContextManager[PartProcesses | FleetParts]:
    if spread.fleet is None:
        from capbench.harness.worker.part_processes import PartProcesses

        return PartProcesses(reference, output, spread.parts or 1)
    from capbench.cli.fleet_verbs.connection import fleet_options
    from capbench.fleet.spreading.fleet_parts import FleetParts, SpreadWork
    from capbench.fleet.spreading.worth_sending import measuring_s
    from capbench.quality.parts.known_pictures import arithmetic_digest
    from capbench.quality.reading.clip import read_facts
    from capbench.quality.validate import measured_metrics

    chosen = fleet_options(spread.fleet, certificates=spread.certificates, insecure=spread.insecure, budget_s=None)
    facts = read_facts(output)
    read_facts(reference)  # a file that cannot be read is said to be so before anything is sent
    metrics = measured_metrics(spread.metrics, with_vmaf=spread.with_vmaf)
    work = SpreadWork(
        reference,
        output,
        work_s=measuring_s(facts.expected_frames, facts.width * facts.height, metrics),
        arithmetic=arithmetic_digest([metric.name for metric in metrics]),
    )
    return FleetParts(chosen.scheduler, chosen.security, work, say=_say)


def _say(line: str) -> None:
    typer.echo(plain_line(f"capbench: {line}"), err=True)


def _asked_look(file: Path | None, scene: str | None) -> ExpectedLook | None:
    if file is not None and scene is not None:
        raise InputError("give --expect or --expect-scene, not both")
    if file is not None:
        from capbench.results.appearance.read_look import load_look

        return load_look(file)
    if scene is None:
        return None
    from capbench.pipeline.scene import load_scene  # slow to import
    from capbench.quality.effects.asked_path import asked_look

    return asked_look(load_scene(scene))


def _progress() -> Progress:
    from rich.console import Console  # slow to import
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    # How many frames there are is only known when they have been decoded: a header may lie.
    console = Console(stderr=True)
    # Elsewhere than on a terminal the end of a progress display is an empty line, and an error must be one line.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _parse_size(text: str) -> tuple[int, int]:
    from capbench.pipeline.decode.open_source import LARGEST_SIDE_PX  # PyAV

    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or not all(0 < int(side) <= LARGEST_SIDE_PX for side in match.groups()):
        raise InputError(f"not a size: {text!r}; write for example 1280x720")
    return int(match[1]), int(match[2])


def _print_report(report: ValidationReport) -> None:
    from capbench.report.formats.terminal_table import open_console, print_line  # slow to import

    console = open_console()
    console.print(_checks_table(report))
    if report.metrics:
        console.print(_metrics_table(report))
    for how, names in _by_words(report.how_measured):
        print_line(console, f"{names}: {how}", "dim")
    for why, names in _by_words(report.unmeasured):
        print_line(console, f"{names}: not measured, {why}", "dim")
    failures = len(report.failures)
    verdict = "passed" if report.passed else f"FAILED: {failures} of {len(report.checks)} checks"
    style = "green" if report.passed else "red"
    print_line(console, f"{report.output} against {report.reference}: {verdict}", style)


def _by_words(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is said, each once, and the metrics that it is said of."""
    names: dict[str, list[str]] = {}
    for name, words in said.items():
        names.setdefault(words, []).append(name)
    yield from ((words, ", ".join(of)) for words, of in names.items())


def _checks_table(report: ValidationReport) -> Table:
    from rich.text import Text  # slow to import

    from capbench.report.formats.terminal_table import add_row, open_table

    words = {
        "pass": ("pass", "green"),
        "fail": ("FAIL", "bold red"),
        "not_applicable": ("n/a", "dim"),
        "unchecked": ("UNCHECKED", "bold yellow"),
    }
    table = open_table("check", "", "evidence", has_lines=False)
    for (status, message), checks in itertools.groupby(
        report.checks, key=lambda check: (check.status.value, check.message)
    ):
        word, style = words[status]
        names = [check.name for check in checks]
        # A reason that several checks share is shown once.
        add_row(table, [names[0], Text(word, style=style), message + _and_others(names[1:])])
    return table


def _and_others(names: list[str]) -> str:
    return f" (and {', '.join(name.rpartition('.')[2] for name in names)})" if names else ""


def _metrics_table(report: ValidationReport) -> Table:
    from capbench.gate.judged_metrics import quality_unit  # slow to import
    from capbench.report.formats.terminal_table import add_row, open_table

    table = open_table("metric", has_lines=False)
    for heading in ("mean", "harmonic", "p5", "p1", "worst", "at frame", "frames"):
        table.add_column(heading, justify="right")
    for name, summary in report.metrics.items():
        _, digits = quality_unit(name)
        pooled = (summary.mean, summary.harmonic_mean, summary.p5, summary.p1, summary.worst)
        figures = ["" if value is None else f"{value:.{digits}f}" for value in pooled]
        at_frame = "" if summary.worst_frame is None else str(summary.worst_frame)
        add_row(table, [f"{name} {summary.unit}".strip(), *figures, at_frame, str(summary.frames)])
    return table


def _list_metrics(json: str | None) -> None:
    from capbench.doctor.metric_list import list_metrics  # decoding libraries are slow to import
    from capbench.report.formats.terminal_table import add_row, open_console, open_table, print_line

    found = list_metrics()
    if json is not None:
        write_json(found, json)
    if json == "-":
        return
    headings = ("metric", "unit", "better", "margin", "range", "frames", "CPU ms", "here")
    table = open_table(*headings, has_lines=False)
    for metric in found.metrics:
        here = "yes" if metric.unavailable is None else "no"
        name = f"{metric.name} (default)" if metric.is_default else metric.name
        cost = "" if metric.cost_cpu_ms is None else f"{metric.cost_cpu_ms:g}"
        words = (metric.unit, metric.direction, metric.margin_words, metric.range_words, metric.frames)
        add_row(table, [name, *words, cost, here])
    console = open_console()
    console.print(table)
    print_line(console, "CPU ms: of one pair of 1920x1080 pictures, as measured for docs/validation.md", "dim")
    for metric in found.metrics:
        if metric.source:
            print_line(console, f"{metric.name}: {metric.source}; by {metric.computed_by}", "dim")
    for metric in found.metrics:
        if metric.unavailable is not None:
            print_line(console, f"{metric.name}: not available, {metric.unavailable}", "yellow")
