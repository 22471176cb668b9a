"""What was done of a campaign, input by input, in a file: an interrupted one goes on, and nobody counts by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

__all__ = ["LEAST_REACHED", "Entry", "Journal", "hollow_kinds", "summary"]

LEAST_REACHED: Final = 0.05
"""Share of a kind's inputs that goes the whole way, at least. Where nearly all are refused, by a seed that has become
invalid or by one check in front of everything, none of them has tested what comes behind it."""
_FEWEST_JUDGED: Final = 60
"""Inputs of a kind of which a share is judged. With fewer, chance decides: where a tenth goes the whole way, fewer than
three of sixty do so in one campaign of twenty."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One input that was run."""

    number: int
    """Of the input; below 0 for a seed as it is."""
    name: str
    """Of what was mutated."""
    kind: str
    """A key of `WEIGHTS`."""
    faults: tuple[str, ...]
    """In words; empty where all is well."""
    code: int | None
    """Exit code; None where a signal ended it."""
    reached: bool
    """Whether the command went the whole way."""
    wall_s: float
    """How long it took."""
    peak_bytes: int
    """Most resident memory."""


class Journal:
    """The inputs of one seed and kind that were run, also by earlier calls."""

    def __init__(self, path: Path | None, seed: int, kind: str | None, *, inputs: str = "") -> None:
        """Read `path`, where there is one; other seeds and kinds may share the file.

        `inputs` identifies what makes an input of a number: what an earlier program ran were others.
        """
        self._path = path
        self._campaign = {"seed": seed, "only": kind, "inputs": inputs}
        self.done: dict[int, Entry] = {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                # A line without its end was being written when the campaign was ended: that input is run again.
                if line.endswith("\n"):
                    self._take(json.loads(line))

    def _take(self, known: dict[str, object]) -> None:
        said = {key: known.pop(key, None) for key in self._campaign}
        if said == self._campaign:
            entry = Entry(**{**known, "faults": tuple(known["faults"])})  # type: ignore[arg-type]
            self.done[entry.number] = entry

    def add(self, entry: Entry) -> None:
        """Note an input; at once, so that nothing is lost with the process."""
        self.done[entry.number] = entry
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**self._campaign, **asdict(entry)}) + "\n")


def hollow_kinds(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Kinds of which too few inputs went the whole way to have tested it."""
    mutated = [entry for entry in entries if entry.number >= 0]
    counts = Counter(entry.kind for entry in mutated)
    reached = Counter(entry.kind for entry in mutated if entry.reached)
    judged = [kind for kind in sorted(counts) if counts[kind] >= _FEWEST_JUDGED]
    return tuple(kind for kind in judged if reached[kind] < LEAST_REACHED * counts[kind])


def summary(entries: Sequence[Entry]) -> Iterator[str]:
    """What is printed of a campaign: how each kind ended, the slowest, the largest, what failed, what was hollow."""
    mutated = [entry for entry in entries if entry.number >= 0]
    if not entries:
        yield "no input was run"
        return
    slowest = max(entries, key=lambda entry: entry.wall_s)
    largest = max(entries, key=lambda entry: entry.peak_bytes)
    failed = [entry for entry in entries if entry.faults]
    yield f"{len(mutated)} inputs done, and {len(entries) - len(mutated)} seeds as they are"
    for kind in sorted({entry.kind for entry in mutated}):
        yield _line_of(kind, [entry for entry in mutated if entry.kind == kind])
    yield (
        f"slowest {slowest.wall_s:.1f} s ({slowest.number} {slowest.name}), "
        f"largest {largest.peak_bytes / 1e6:.0f} MB ({largest.number} {largest.name})"
    )
    for kind in hollow_kinds(entries):
        yield f"hollow: of {kind}, under {LEAST_REACHED:.0%} went the whole way"
    by_fault = Counter(fault.partition(":")[0] for entry in failed for fault in entry.faults)
    yield f"{len(failed)} failed: {dict(by_fault)}" if failed else "none failed"


def _line_of(kind: str, entries: Sequence[Entry]) -> str:
    codes = Counter(entry.code for entry in entries)
    ends = ", ".join(f"{'none' if code is None else code}: {codes[code]}" for code in sorted(codes, key=_by_code))
    share = sum(entry.reached for entry in entries) / len(entries)
    wall_s = sum(entry.wall_s for entry in entries) / len(entries)
    return f"  {kind}: {len(entries)}, {share:.0%} went the whole way, {wall_s:.2f} s each; exit codes {ends}"


def _by_code(code: int | None) -> int:
    return -1 if code is None else code
