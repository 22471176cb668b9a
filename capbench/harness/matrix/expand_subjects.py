"""From `[[subject]]` tables to subjects: products combined, commands split, folders settled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from capbench.errors import MatrixError
from capbench.files import is_folder
from capbench.harness.matrix.command_line import fill_parameters, split_command
from capbench.harness.matrix.model import OptionValue, Subject
from capbench.harness.matrix.table_values import MOST_CASES, check_name
from capbench.harness.matrix.toml_file import MatrixFile, SubjectTable
from capbench.units import shown

__all__ = ["DeclaredSubjects", "declared_subjects", "subject_label"]


@dataclass(slots=True)
class DeclaredSubjects:
    """The subjects of a matrix's files; those that need no table are added as cases name them."""

    by_name: dict[str, Subject] = field(default_factory=dict)
    """Subjects by their names, in the order of the files."""
    of_table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a table to the names of its subjects: several with a product, itself otherwise."""
    of_file: dict[str, Path] = field(default_factory=dict)
    """Subject to the file that declares it."""


def declared_subjects(files: Mapping[Path, MatrixFile]) -> DeclaredSubjects:
    """Every subject that a table declares. Raises `MatrixError` that points at file and key."""
    found = DeclaredSubjects()
    for path, file in files.items():
        for index, table in enumerate(file.subject):
            where = f"{path}:subject[{index}]({table.name})"
            for subject in _subjects_of(where, path, table):
                if subject.name in found.by_name:
                    again = f"({subject.name})" if table.product else ""
                    raise MatrixError(f"{where}.name{again}: another subject has this name; rename one")
                if len(found.by_name) >= MOST_CASES:
                    raise MatrixError(f"{where}: more than {MOST_CASES} subjects in total")
                found.by_name[subject.name] = subject
                found.of_file[subject.name] = path
                found.of_table[table.name] = (*found.of_table.get(table.name, ()), subject.name)
    return found


def _subjects_of(where: str, path: Path, table: SubjectTable) -> Iterator[Subject]:
    folder = _folder_of(where, path, table)
    for values in itertools.product(*table.product.values()):
        chosen = dict(zip(table.product, values, strict=True))
        label = subject_label(table.name, chosen)
        try:
            check_name(label)
        except ValueError as error:
            raise MatrixError(f"{where}.product: {error}; shorten it") from error
        yield _subject(table, label, chosen, folder)


def subject_label(table: str, chosen: Mapping[str, OptionValue]) -> str:
    """Name of the subject that a table with a product stands for with these values."""
    return "-".join([table, *(f"{key}={_word(value)}" for key, value in chosen.items())])


def _folder_of(where: str, path: Path, table: SubjectTable) -> Path | None:
    if table.cwd is None:
        starts_something = table.command is not None or table.prepare is not None or table.conclude is not None
        return path.parent if starts_something else None
    folder = (path.parent / table.cwd).resolve()
    if not is_folder(folder):
        raise MatrixError(f"{where}.cwd: no such folder: {shown(str(folder))}")
    return folder


def _subject(table: SubjectTable, name: str, chosen: Mapping[str, OptionValue], folder: Path | None) -> Subject:
    parameters = {key: _text(value) for key, value in chosen.items()} if table.command is not None else {}

    def words(command: str | list[str] | None, *, needs_output: bool = False) -> tuple[str, ...]:
        if command is None:
            return ()
        return fill_parameters(split_command(command, table.product, needs_output=needs_output), parameters)

    options = table.options if table.decoder is None else table.options | {"decoder": table.decoder}
    return Subject(
        name=name,
        is_floor=table.floor,
        path=table.path,
        command=words(table.command, needs_output=True),
        options=options if table.command is not None else {**options, **chosen},
        env={key: fill_parameters((value,), parameters)[0] for key, value in table.env.items()},
        scenes=tuple(table.scenes),
        look=table.look,
        output_suffix=table.output_suffix,
        folder=folder,
        prepare=words(table.prepare),
        conclude=words(table.conclude),
        begins=table.begins,
        ends=table.ends,
        sampled=table.sampled,
    )


def _text(value: OptionValue) -> str:
    """A parameter's value as it stands in a command: `true`, not Python's `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(value: OptionValue) -> str:
    """A parameter's value as a part of a name."""
    keeps = (letter if letter.isascii() and (letter.isalnum() or letter in "._+") else "_" for letter in _text(value))
    return "".join(keeps)
