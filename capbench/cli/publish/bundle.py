"""`capbench bundle`: results in one file for others, without names of people, places and machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.cli.ignored_options import refuse_ignored
from capbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capbench.results.bundle.bundle_file import BundleContents

__all__ = ["bundle"]

_EXAMPLES = """
Examples:

`capbench bundle reports/today -o machine.capbench`

`capbench bundle --check machine.capbench` (in CI, before a submission is accepted)
"""


@app.command(epilog=_EXAMPLES)
def bundle(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Result folder.", show_default=False)] = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Bundle to write.")] = Path(
        "machine.capbench"
    ),
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check a bundle instead; exit 2 if it is wrong."),
    ] = None,
    json_file: JsonTarget = None,
) -> None:
    """Put the figures of a result folder into one file to send to others, and print what it holds.

    A bundle holds no names of hosts, users and machines, no paths, commands, messages and times of day. Names of cases
    and subjects stay in it. The same results always make the same file.
    """
    from capbench.files import read_json
    from capbench.results.bundle.anonymous_records import PrivateNames, anonymous_results
    from capbench.results.bundle.bundle_file import read_bundle, write_bundle
    from capbench.results.folder import read_folder
    from capbench.results.visible_text import plain_line

    if folder is not None and check is not None:
        raise InputError("name a result folder to bundle, or a bundle with --check FILE, not both")
    left_out: tuple[str, ...] = ()
    if check is not None:
        refuse_ignored(context, ("output",), why="with --check, which writes no bundle; omit it")
        written = read_bundle(check)
    elif folder is not None:
        contents = read_folder(folder)
        for problem in contents.problems:
            typer.echo(f"capbench: {plain_line(problem)}", err=True)
        plan = folder / "matrix.json"
        found = read_json(plan, InputError) if plan.exists() else {}
        results = anonymous_results(contents, found if isinstance(found, dict) else {}, PrivateNames.of_this_machine())
        written = write_bundle(results, output)
        left_out = results.left_out
    else:
        raise InputError("name a result folder to bundle, or a bundle with --check FILE")
    if json_file is not None:
        write_json(written.manifest, json_file)
    if json_file != "-":
        for line in _summary(written, left_out):
            typer.echo(plain_line(line))


def _summary(contents: BundleContents, left_out: tuple[str, ...]) -> Iterator[str]:
    """What a bundle holds, a line each."""
    runs = contents.runs.runs
    yield f"{contents.path}: a bundle of {len(runs)} runs, SHA-256 {contents.sha256}"
    for name, machine in contents.machines.machines.items():
        parts = (
            machine.cpu_model,
            machine.os,
            machine.adapter,
            f"{machine.memory_gib} GiB" if machine.memory_gib else "",
        )
        yield f"  {name}: {', '.join(part for part in parts if part) or 'nothing is known of it'}"
    yield f"  cases: {', '.join(contents.cases.cases)}"
    yield f"  subjects: {', '.join(dict.fromkeys(run.subject for run in runs))}"
    filled = {name for run in runs for name in run.model_fields_set}
    yield f"  fields of a run: {', '.join(name for name in type(runs[0]).model_fields if name in filled)}"
    for name, file in contents.manifest.files.items():
        yield f"  {name}: {file.size_bytes} bytes, SHA-256 {file.sha256}"
    for words in left_out:
        yield f"  not in it: {words}"
