"""Run what the fuzzer kept once more: `python -m tests.fuzz.replay FOLDER...`. Exits 1 where one still fails."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from tests.fuzz.doors import load_verbs
from tests.fuzz.limited_run import run_limited
from tests.fuzz.seeds.seed_input import SeedInput


def main() -> int:
    """Exit code."""
    load_verbs()
    gc.collect()
    gc.freeze()  # no child looks through, and so copies, what was imported before it
    failed = False
    for folder in map(Path, sys.argv[1:]):
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        names = [path for path in folder.rglob("*") if path.is_file() and path != folder / "about.json"]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(names)}
        seed = SeedInput(
            name=folder.name,
            kind="corpus",
            files=files,
            mutable=(),
            arguments=tuple(about["arguments"]),
            ends=tuple(about["ends"]),
            may_leave=tuple(about["may_leave"]),
            may_change=tuple(about["may_change"]),
            export_of=about["export_of"],
        )
        outcome = run_limited(seed, files)
        sys.stdout.write(f"{folder.name}: {'; '.join(outcome.faults) or 'well'} (exit code {outcome.code})\n")
        failed = failed or bool(outcome.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
