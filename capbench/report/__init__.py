"""Results for people: the table on the terminal, the HTML page, and the same figures in other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from capbench.gate import GateFile

__all__ = ["write_report"]


def write_report(
    folders: Sequence[Path],
    output: Path,
    gates: GateFile | None = None,
    *,
    picture_bytes: int = 4_000_000,
    alone: bool = False,
) -> Path:
    """Write the page about result folders; see `capbench.report.machine_pages.write_fleet_page.write_folder_report`."""
    from capbench.report.machine_pages.write_fleet_page import write_folder_report as build  # pandas takes a second

    return build(folders, output, gates, picture_bytes=picture_bytes, alone=alone)
