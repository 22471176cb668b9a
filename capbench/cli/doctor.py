"""`capbench doctor`: what this machine can do, and the command that installs what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from capbench.doctor.findings import DecoderFinding, EncoderFinding, MachineFindings, PathFinding

__all__ = ["doctor"]

_NOT_POSSIBLE = 4


@app.command(epilog="Example: `capbench doctor --json - | jq .adapters`")
def doctor(json_file: JsonTarget = None) -> None:
    """Show which adapters, encoders, hardware decoders and paths work here, with memory, cache and versions.

    Exit codes: 0 when an export by path `gpu` is possible, 4 when it is not.
    """
    from capbench.doctor.probe_machine import examine_machine  # loads wgpu and av

    found = examine_machine()
    if json_file is not None:
        write_json(found, json_file)
    if json_file != "-":
        _show(found)
    if not found.can_export_by_gpu:
        raise typer.Exit(_NOT_POSSIBLE)


def _show(found: MachineFindings) -> None:
    """Print tables to stdout."""
    from capbench.report.formats.terminal_table import open_console, print_line  # --help and --json need no tables

    console = open_console()
    console.print(_adapter_table(found))
    console.print(_trial_table("Encoders, tested on a few frames", found.encoders))
    console.print(_decoder_table(found.decoders))
    console.print(_trial_table("Paths, tested on a few frames", found.paths))
    console.print(_resource_table(found))
    console.print(_version_table(found))
    for problem in found.problems:
        print_line(console, f"{'missing' if problem.blocks_export else 'note'}: {problem.what}")
        print_line(console, f"  {problem.remedy}")
    able = "can" if found.can_export_by_gpu else "cannot"
    print_line(console, f"This machine {able} export by path gpu.")


def _table(title: str, *columns: str) -> Table:
    from capbench.report.formats.terminal_table import open_table

    table = open_table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of plain text: a driver's words may hold square brackets."""
    from capbench.report.formats.terminal_table import add_row

    add_row(table, cells)


def _adapter_table(found: MachineFindings) -> Table:
    table = _table("GPU adapters", "used", "adapter", "backend", "type", "driver")
    for adapter in found.adapters:
        kind = f"{adapter.adapter_type} (software)" if adapter.is_software else adapter.adapter_type
        _add(table, "yes" if adapter.is_chosen else "", adapter.name, adapter.backend, kind, adapter.driver)
    if not found.adapters:
        _add(table, "", "none", "", "", "")
    return table


def _trial_table(title: str, trials: Sequence[EncoderFinding | PathFinding]) -> Table:
    table = _table(title, "name", "works", "reason")
    for trial in trials:
        _add(table, trial.name, "yes" if trial.works else "no", trial.reason or "")
    return table


def _decoder_table(trials: Sequence[DecoderFinding]) -> Table:
    table = _table("Hardware decoders, tried on a few frames", "name", "codec", "works", "why not")
    for trial in trials:
        _add(table, trial.name, trial.codec, "yes" if trial.works else "no", trial.reason or "")
    return table


def _resource_table(found: MachineFindings) -> Table:
    table = _table("Memory, cache, programs", "what", "value")
    memory, cache = found.memory, found.cache
    limit, left = memory.cgroup_limit_bytes, memory.cgroup_free_bytes
    _add(table, "memory", f"{format_bytes(memory.total_bytes)}, {format_bytes(memory.available_bytes)} available")
    group = "no limit" if limit is None or left is None else f"{format_bytes(limit)}, {format_bytes(left)} left"
    _add(table, "control group", group)
    _add(table, "channels", f"at most {memory.channel_frames} frames; GIF {memory.gif_channel_frames}")
    for plan in memory.channels:
        held = f"{plan.decoded_frames} decoded, {plan.upload_slots} in upload, {plan.staging_slots} in readback"
        held += f", {plan.pictures} for the encoder: {format_bytes(plan.owned_bytes)}"
        _add(table, f"frames held at {plan.width}x{plan.height}", held)
    free = "" if cache.free_bytes is None else f", {format_bytes(cache.free_bytes)} free on its disk"
    _add(table, "cache", f"{cache.folder}: {format_bytes(cache.size_bytes)}{free}")
    _add(table, "ffmpeg program", f"{found.ffmpeg.path or 'none'} {found.ffmpeg.version or ''}".strip())
    return table


def _version_table(found: MachineFindings) -> Table:
    table = _table("Versions", "what", "version")
    for name, version in found.versions.items():
        _add(table, name, version)
    return table
