"""`capbench report`: the page of result folders, or its overview in other formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.cli.ignored_options import refuse_ignored
from capbench.errors import InputError, OutputError

if TYPE_CHECKING:
    from capbench.report.page.folder_view import FolderView

__all__ = ["Form", "report"]

_EXAMPLES = """
Examples:

`capbench report reports/2026-03-02T09-14-05`

`capbench report reports/before reports/after -o trend.html`

`capbench report reports/after --format markdown >> "$GITHUB_STEP_SUMMARY"`

`capbench report reports` (writes an index of the result folders in it)
"""


class Form(StrEnum):
    """What to write."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"
    PNG = "png"


@app.command(epilog=_EXAMPLES)
def report(  # noqa: PLR0917  options of the command line have names there
    context: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Result folders, or one folder of result folders.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write (default: index.html or report.png in DIR)."
        ),
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Format to write (default: by the file's suffix, otherwise html).")
    ] = None,
    gates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gate file with margins and required effects; see docs/gate.md.")
    ] = None,
    pictures: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Limit for frame pictures inside the page, such as 500k; more go to frames/. 0 for none.",
        ),
    ] = "4M",
    alone: Annotated[
        bool, typer.Option("--alone", help="Omit what lies beside the page, to send it without its folder.")
    ] = False,
) -> None:
    """Write the report of result folders: an HTML page, or its overview as markdown, JSON, CSV or PNG."""
    from capbench.files import is_folder
    from capbench.gate import load_gate_file  # --help need not wait for pandas
    from capbench.report import write_report
    from capbench.report.page.index import result_folders, write_index
    from capbench.report.page.write_page import view_folder
    from capbench.report.report_folder import is_result_folder, read_folder
    from capbench.units import parse_bytes

    form = form or _form_of(output)
    last = folders[-1]
    if (
        len(folders) == 1
        and form is Form.HTML
        and is_folder(last)
        and not is_result_folder(last)
        and result_folders(last)
    ):
        refuse_ignored(context, ("gates", "pictures", "alone"), why="on an index of result folders; name one of them")
        typer.echo(write_index(last, output or last / "index.html"))
        return
    rules = None if gates is None else load_gate_file(gates)
    if form is Form.HTML:
        target = output or (last / "index.html" if len(folders) == 1 else last.parent / "report.html")
        typer.echo(write_report(folders, target, rules, picture_bytes=parse_bytes(pictures), alone=alone))
        return
    refuse_ignored(context, ("pictures", "alone"), why=f"with --format {form.value}; only a page has pictures")
    if len(folders) > 1:
        raise InputError(f"{form.value} shows one folder, got {len(folders)}; name one folder, or use --format html")
    _write_form(view_folder(read_folder(last), last, rules, charts=False), form, output, last)


def _form_of(output: Path | None) -> Form:
    endings = {".md": Form.MARKDOWN, ".json": Form.JSON, ".csv": Form.CSV, ".png": Form.PNG}
    return endings.get(output.suffix.lower(), Form.HTML) if output else Form.HTML


def _write_form(view: FolderView, form: Form, output: Path | None, folder: Path) -> None:
    from capbench.files import write_atomic
    from capbench.report.formats import overview_forms as forms
    from capbench.report.formats.overview_png import to_png

    if form is Form.PNG:
        output = output or folder / "report.png"
        content: str | bytes = to_png(view)
    else:
        makers = {Form.MARKDOWN: forms.to_markdown, Form.JSON: forms.to_json, Form.CSV: forms.to_csv}
        content = makers[form](view)
    if output is None or str(output) == "-":
        typer.echo(content if isinstance(content, bytes) else content.encode(), nl=False)  # bytes: UTF-8 everywhere
        return
    try:
        write_atomic(output, content)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    typer.echo(output)
