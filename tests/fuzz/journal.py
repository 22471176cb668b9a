"""What was done of a campaign, input by input, in a file: an interrupted one goes on, and nobody counts by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Entry", "Journal", "summary"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One input that was run."""

    number: int
    """Of the input."""
    name: str
    """Of what was mutated."""
    kind: str
    """media, playlist, matrix, scene, gate, baseline or result."""
    faults: tuple[str, ...]
    """In words; empty where all is well."""
    code: int | None
    """Exit code; None where a signal ended it."""
    wall_s: float
    """How long it took."""
    peak_bytes: int
    """Most resident memory."""


class Journal:
    """The inputs of one seed and kind that were run, also by earlier calls."""

    def __init__(self, path: Path | None, seed: int, kind: str | None) -> None:
        """Read `path`, where there is one; other seeds and kinds may share the file."""
        self._path = path
        self._campaign = {"seed": seed, "only": kind}
        self.done: dict[int, Entry] = {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                # A line without its end was being written when the campaign was ended: that input is run again.
                if line.endswith("\n"):
                    self._take(json.loads(line))

    def _take(self, known: dict[str, object]) -> None:
        if all(known.pop(key) == value for key, value in self._campaign.items()):
            entry = Entry(**{**known, "faults": tuple(known["faults"])})  # type: ignore[arg-type]
            self.done[entry.number] = entry

    def add(self, entry: Entry) -> None:
        """Note an input; at once, so that nothing is lost with the process."""
        self.done[entry.number] = entry
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**self._campaign, **asdict(entry)}) + "\n")


def summary(entries: Sequence[Entry]) -> Iterator[str]:
    """What is printed of a campaign: counts, the slowest, the largest, what failed."""
    if not entries:
        yield "no input was run"
        return
    slowest = max(entries, key=lambda entry: entry.wall_s)
    largest = max(entries, key=lambda entry: entry.peak_bytes)
    kinds = Counter(entry.kind for entry in entries)
    failed = [entry for entry in entries if entry.faults]
    yield f"{len(entries)} inputs done: {dict(sorted(kinds.items()))}"
    yield (
        f"slowest {slowest.wall_s:.1f} s ({slowest.number} {slowest.name}), "
        f"largest {largest.peak_bytes / 1e6:.0f} MB ({largest.number} {largest.name})"
    )
    by_fault = Counter(fault.partition(":")[0] for entry in failed for fault in entry.faults)
    yield f"{len(failed)} failed: {dict(by_fault)}" if failed else "none failed"
