"""docs/reference.md, made from the code: `python -m tests.reference_page` writes it, a test holds it to the code.

Every verb with its options, every field of a run, every file of a result folder that has fields, every exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from capbench import errors
from capbench.cli import app as _verbs_are_registered  # noqa: F401  importing it registers the verbs
from capbench.cli.app import INTERRUPTED, READER_GONE, app
from capbench.harness.matrix.toml_file import CaseTable, SubjectTable
from capbench.results import ExportReport, RunResult
from capbench.results.environment import BlockNoise, Environment
from capbench.results.validation import ValidationReport

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

_HEAD = """# Reference

Made from the code by `python -m tests.reference_page`; a test fails where it is out of date. [design.md](design.md) has
the ideas behind it, [glossary.md](glossary.md) the terms.
"""

_RECORDS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("An export's report", "`capbench export --json`; every run has these fields too.", ExportReport),
    ("A run", "`runs/*.json` of a result folder; the fields of an export's report besides.", RunResult),
    ("A validation", "`capbench validate --json`, and `validation` of a run.", ValidationReport),
    ("The machine", "`environment.json` of a result folder.", Environment),
    ("What disturbed a block", "`blocks/*.json` of a result folder.", BlockNoise),
    (
        "A case of a matrix file",
        "`[[case]]`, `[defaults]`, `[[override]]`; [matrix.md](matrix.md) explains them.",
        CaseTable,
    ),
    ("A subject of a matrix file", "`[[subject]]`.", SubjectTable),
)


def reference_page() -> str:
    """The whole page as markdown."""
    return "\n".join([_HEAD, *_verbs(), *_records(), *_exit_codes()]).rstrip() + "\n"


def verbs() -> dict[str, TyperCommand]:
    """Every command that does something, by its words: `history add`."""
    return dict(_leaves(get_command(app), ()))


def _leaves(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name in sorted(command.commands):
            yield from _leaves(command.commands[name], (*words, name))
    elif isinstance(command, TyperCommand):
        yield " ".join(words), command


def _verbs() -> Iterator[str]:
    yield "## Commands\n"
    for name, command in verbs().items():
        arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
        usage = " ".join([f"capbench {name}", *(_metavar(argument) for argument in arguments)])
        yield f"### `{usage}`\n\n{_plain((command.help or '').split(chr(10) * 2, maxsplit=1)[0])}\n"
        yield "| option | what it does | default |\n|---|---|---|"
        for argument in arguments:
            yield f"| `{_metavar(argument)}` | {_plain(argument.help or '')} | |"
        for option in command.params:
            if isinstance(option, TyperOption):
                names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
                yield f"| {names} | {_plain(option.help or '')} | {_default(option)} |"
        yield ""


def _metavar(argument: TyperArgument) -> str:
    return (argument.metavar or (argument.name or "").upper()).strip("{}")


def _default(option: TyperOption) -> str:
    value = option.default
    shown = isinstance(value, str | int | float) and not isinstance(value, bool)
    return f"`{value}`" if shown else ""


def _records() -> Iterator[str]:
    yield "## Fields\n\nA value that could not be measured is null, with the reason in `unmeasured`; never 0.\n"
    for title, where, record in _RECORDS:
        inherited = set(ExportReport.model_fields) if record is RunResult else set()
        yield f"### {title}\n\n{where}\n\n| field | meaning |\n|---|---|"
        for name, field in record.model_fields.items():
            if name not in inherited:
                yield f"| `{field.alias or name}` | {_plain(field.description or '')} |"
        yield ""


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n\n| code | meaning | errors that end with it |\n|---|---|---|"
    meanings = {
        0: "all verdicts pass",
        1: "something is worse, or a check failed",
        2: "the command line or a file is wrong",
        3: "undecided: the runs are too few or too noisy to show the effect that the gate asks about",
        4: "this machine cannot run what was asked (no adapter, no encoder)",
        INTERRUPTED: "interrupted",
        READER_GONE: "the reader of stdout went away",
    }
    by_code: dict[int, list[str]] = {}
    for name in errors.__all__:
        error = getattr(errors, name)
        if isinstance(error, type) and issubclass(error, errors.CapbenchError):
            by_code.setdefault(error.exit_code, []).append(f"`{name}`")
    assert set(by_code) <= set(meanings), "an error ends with a code that this page does not know"
    for code, meaning in meanings.items():
        yield f"| {code} | {meaning} | {', '.join(by_code.get(code, []))} |"


def _plain(text: str) -> str:
    """One table cell: one line, and no bar that ends it."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference_page(), encoding="utf-8")
