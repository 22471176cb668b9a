"""The matrix file that somebody would write by hand to compare a few commands: what `capbench try` runs and saves."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from capbench.errors import InputError, MatrixError
from capbench.files import is_file, is_folder
from capbench.harness.matrix.command_line import (
    PLACEHOLDERS,
    missing_program,
    placeholders_of,
    split_command,
)
from capbench.harness.matrix.expand_subjects import subject_label
from capbench.harness.matrix.table_values import LONGEST_NAME, check_name, known_paths
from capbench.results.path_names import path_names
from capbench.results.run_record import ExportEnd
from capbench.results.subject_name import CAPACITY_PREFIX, DECODE_ONLY, FLOOR
from capbench.units import shown

__all__ = ["TriedCommands", "parse_parameters", "try_matrix_text"]

SMALL_RECORDING = {"width": 640, "height": 360, "fps": "30"}
SMALL_RECORDING_S = 2
"""Long enough that an encoder's work is more than its start, short enough that blocks of two commands take seconds."""
_MOST_COMMANDS = 100
"""All of them run in every block."""
_MOST_VALUES = 1000
"""Of one parameter."""
_SHORT_NAME = LONGEST_NAME // 2
"""A name gets numbers and parameters behind it."""
_INTERPRETERS = re.compile(
    r"(?:python|pypy|node|nodejs|deno|bun|ruby|perl|php|bash|sh|zsh|dash|ksh|pwsh|java|dotnet|env|uv|uvx|npx|pipx|nice"
    r"|time|taskset|wine|xvfb-run)[\d.]*(?:\.exe)?"
)
"""Programs that run another one: their name says nothing about what is tried."""


@dataclass(frozen=True, slots=True)
class TriedCommands:
    """What the command line of `capbench try` asks for."""

    commands: Sequence[str]
    """Command lines with placeholders, or paths of the pipeline; the first is the base."""
    names: Sequence[str] = ()
    """Names for the first of them."""
    source: Path | None = None
    """Clip to export; None for a small recording."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further placeholder to its values."""
    prepare: str | None = None
    """Command before each run."""
    conclude: str | None = None
    """Command after each run."""
    begins: str | None = None
    """Text that each command prints when its export begins."""
    ends: ExportEnd | None = None
    """What ends the export of each command, where its process does not."""
    timeout_s: float = 120.0
    """A run that takes longer is killed."""
    cwd: Path = field(default_factory=Path.cwd)
    """Where the commands start."""


def parse_parameters(written: Sequence[str]) -> dict[str, tuple[str, ...]]:
    r"""`NAME=VALUE,VALUE` of each `-L` to its values; `\,` is a comma inside a value. Raises `InputError`."""
    found: dict[str, tuple[str, ...]] = {}
    for text in written:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise InputError(f"-L needs a name and values, got {shown(text)}; write -L preset fast,slow")
        if name in PLACEHOLDERS or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise InputError(
                f"-L {shown(name)}: choose a name of letters, digits and _ that is none of {', '.join(PLACEHOLDERS)}"
            )
        if name in found:
            raise InputError(f"-L {name} is given twice; write all values with commas: -L {name} a,b")
        split = tuple(value.replace(r"\,", ",") for value in re.split(r"(?<!\\),", values))
        if len(split) > _MOST_VALUES:
            raise InputError(f"-L {name}: {len(split)} values; at most {_MOST_VALUES} are allowed")
        if repeated := [value for value, count in Counter(split).items() if count > 1]:
            raise InputError(f"-L {name}: {shown(repeated[0])} is given twice")
        found[name] = split
    return found


@dataclass(frozen=True, slots=True)
class _Tried:
    """One command or path."""

    name: str
    text: str
    words: tuple[str, ...]
    """Empty for a path."""
    parameters: Mapping[str, tuple[str, ...]]
    """Those that it uses."""


def try_matrix_text(asked: TriedCommands, target: Path) -> str:
    """The text of the matrix file that would lie at `target`: file names in it are relative to its folder.

    Raises `InputError` in one line for a command that cannot be: not found, without `{output}`, with a placeholder that
    nothing fills; for a clip that is not there; for fewer than two subjects.
    """
    tried = _tried(asked)
    used = {name for each in tried for name in each.parameters}
    if unused := [name for name in asked.parameters if name not in used]:
        raise InputError(f"-L {unused[0]}: no command uses it; write {{{unused[0]}}} where its value belongs")
    if not any(each.words for each in tried) and (timed := [key for key in ("begins", "ends") if getattr(asked, key)]):
        raise InputError(
            f"--{timed[0]} is of commands, and only paths are compared, which are timed from inside; omit it"
        )
    if sum(math.prod(len(values) for values in each.parameters.values()) for each in tried) < 2:
        raise InputError(
            "one command has nothing to be compared with; give two or more, or several values: -L preset fast,slow"
        )
    reference = subject_label(tried[0].name, {name: values[0] for name, values in tried[0].parameters.items()})
    lines = [
        f"reference = {_string(reference)}",
        "",
        "[[case]]",
        f"name = {_string(_case_name(asked.source))}",
        *_source_lines(asked, target),
        f"subjects = [{', '.join(_string(each.name) for each in tried)}]",
        "settle_s = 0.1",
        f"timeout_s = {asked.timeout_s:g}",
    ]
    for each in tried:
        if each.words or asked.prepare or asked.conclude:
            lines += ["", *_subject_lines(each, asked, target)]
    return "\n".join(lines) + "\n"


def _source_lines(asked: TriedCommands, target: Path) -> list[str]:
    if asked.source is None:
        size = ", ".join(f"{key} = {_string(value)}" for key, value in SMALL_RECORDING.items())
        return [f"recording = {{ {size} }}", f"duration_s = {SMALL_RECORDING_S}"]
    if is_folder(asked.source) or not is_file(asked.source):
        what = "it is a folder; name a video file" if is_folder(asked.source) else "no such file"
        raise InputError(f"-s {shown(str(asked.source))}: {what}")
    return [f"source = {_string(_relative(asked.source, target.parent))}"]


def _subject_lines(each: _Tried, asked: TriedCommands, target: Path) -> list[str]:
    lines = ["[[subject]]", f"name = {_string(each.name)}"]
    lines.append(f"command = {_string(each.text)}" if each.words else f"path = {_string(each.text)}")
    lines += [f"{key} = {_string(hook)}" for key in ("prepare", "conclude") if (hook := getattr(asked, key))]
    if each.words:
        lines += [f"{key} = {_string(text)}" for key in ("begins", "ends") if (text := getattr(asked, key)) is not None]
    if asked.cwd.resolve() != target.parent.resolve() and (each.words or asked.prepare or asked.conclude):
        lines.append(f"cwd = {_string(str(asked.cwd.resolve()))}")
    if each.parameters:
        lines.append("[subject.product]")
        lines += [f"{name} = [{', '.join(map(_string, values))}]" for name, values in each.parameters.items()]
    return lines


def _tried(asked: TriedCommands) -> list[_Tried]:
    if len(asked.commands) > _MOST_COMMANDS:
        raise InputError(f"{len(asked.commands)} commands; at most {_MOST_COMMANDS} are compared at once")
    if len(asked.names) > len(asked.commands):
        raise InputError(f"{len(asked.names)} names (-n) for {len(asked.commands)} commands")
    words = [() if text in known_paths() else _words(text, asked) for text in asked.commands]
    for key in ("prepare", "conclude"):
        if hook := getattr(asked, key):
            _words(hook, asked, needs_output=False, what=f"--{key} ")
    names = [
        asked.names[place] if place < len(asked.names) else text if not words[place] else _name_of(words[place])
        for place, text in enumerate(asked.commands)
    ]
    hooks = [hook for hook in (asked.prepare, asked.conclude) if hook]
    return [
        _Tried(name, text, words[place], _parameters_of(words[place], hooks, asked.parameters))
        for place, (name, text) in enumerate(zip(_numbered(names, words), asked.commands, strict=True))
    ]


def _parameters_of(
    words: tuple[str, ...], hooks: Sequence[str], parameters: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The parameters that a command or its hooks use; a path has none."""
    if not words:
        return {}
    named = placeholders_of((*words, *hooks))
    return {name: values for name, values in parameters.items() if name in named}


def _words(text: str, asked: TriedCommands, *, needs_output: bool = True, what: str = "") -> tuple[str, ...]:
    """A command in its parts. Raises `InputError` for one that cannot be run."""
    try:
        words = split_command(text, asked.parameters, needs_output=needs_output)
    except ValueError as error:
        paths = f"; or name a path: {', '.join(path_names())}" if needs_output and text.isidentifier() else ""
        raise InputError(f"{what}{shown(text)}: {error}{paths}") from error
    if (reason := missing_program(words[0], asked.cwd)) is not None:
        raise InputError(f"{what}{shown(text)}: {reason.replace(' or leave its subject out', '')}")
    return words


def _name_of(words: tuple[str, ...]) -> str:
    """What a command is called: its program, or the script or program that it runs."""
    programs = [word for word in words if not word.startswith("-") and "{" not in word and "=" not in word]
    places = (place for place, word in enumerate(programs) if not _INTERPRETERS.fullmatch(Path(word).name))
    program = programs[next(places, 0)] if programs else words[0]
    name = re.sub(r"[^A-Za-z0-9._+=-]+|--+", "-", Path(program).name.removesuffix(".exe").removesuffix(".py"))
    name = name.strip("-.")[:_SHORT_NAME].strip("-.") or "command"
    return f"command-{name}" if name.startswith(CAPACITY_PREFIX) else name


def _numbered(names: Sequence[str], words: Sequence[tuple[str, ...]]) -> list[str]:
    """Names that stand once: equal ones get a number, and a command does not take a path's name."""
    reserved = {*known_paths(), FLOOR, DECODE_ONLY}
    taken: list[str] = []
    counts = Counter(names)
    number = dict.fromkeys(names, 0)
    for name, of_command in zip(names, words, strict=True):
        is_taken = counts[name] > 1 or (bool(of_command) and name in reserved)
        chosen = name
        while is_taken or chosen in taken:
            number[name] += 1
            chosen = f"{name}-{number[name]}"
            is_taken = chosen in names
        try:
            taken.append(check_name(chosen))
        except ValueError as error:
            raise InputError(f"-n {shown(name)}: {error}") from error
    return taken


def _case_name(source: Path | None) -> str:
    if source is None:
        return "recording"
    return re.sub(r"[^A-Za-z0-9._+=]+", "-", source.stem).strip("-.")[:_SHORT_NAME].strip("-.") or "clip"


def _relative(path: Path, folder: Path) -> str:
    """A file as a matrix in `folder` names it: relative where it lies inside, so that both can move together."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  links stay: the user named one
    try:
        return absolute.relative_to(folder.resolve()).as_posix()
    except ValueError:
        return str(absolute)


def _string(value: object) -> str:
    """A TOML value: JSON's strings and numbers are TOML's, but for the character that JSON leaves as it is.

    Raises `MatrixError` for text that no TOML file can hold.
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if any("\ud800" <= letter <= "\udfff" for letter in value) or "\0" in value:
        raise MatrixError(f"{shown(value)} cannot stand in a matrix file, which is UTF-8 text; rename it")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
