"""What a seed is: files, a command line, how it ends, and what it may leave behind."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXPORTED", "FAST_EXPORT", "JUDGED", "SeedInput"]

FAST_EXPORT = ("--preset", "ultrafast", "--json", "report.json")
"""Options of an export whose frames are counted."""
EXPORTED = ("out.mp4", "report.json")
"""What it leaves."""
JUDGED = (0, 1, 3)
"""Ends of a verb that judges: it passes, something is worse or wrong, or too little is known. All were computed."""


@dataclass(frozen=True, slots=True)
class SeedInput:
    """A valid input and how capbench is given it."""

    name: str
    """Unique."""
    kind: str
    """A key of `WEIGHTS`."""
    files: dict[str, bytes]
    """Relative path to content."""
    mutable: tuple[str, ...]
    """Of these, those that are mutated."""
    arguments: tuple[str, ...]
    """Command line of capbench, run in the folder of the files; or a door of `tests.fuzz.doors`."""
    ends: tuple[int, ...] = (0,)
    """Exit codes with which the command has gone the whole way. As it is the input ends with the first of them."""
    may_leave: tuple[str, ...] = ()
    """Globs of the files that the command leaves behind when it has gone the whole way; otherwise it leaves none."""
    may_change: tuple[str, ...] = ()
    """Of the files, those that the command is there to change."""
    export_of: str | None = None
    """Of an export: the file whose frames are counted."""
    needs_adapter: bool = False
    """Whether it ends so only where a GPU adapter is, a software one included."""
    bundles: tuple[str, ...] = ()
    """Names of bundles that are packed of the files below folders of these names, after one of them was mutated."""
