"""Measure how often validation is wrong about strangers' files.

    python -m tests.strangers [--short] [--drawn SEED COUNT] [--work DIR] [--shared DIR] [--jobs N] [--seed N]
                              [--minutes N N] [--write-docs] [--json FILE]

Exits 1 where a goal is missed. Disagreements are listed for what may be looked at; of what is held back only counts are
shown. `--drawn` judges clips drawn for development, by a seed below 1,000, and nothing that is held back.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from tests.marked_page import write_between
from tests.strangers.confusion_table import disagreements, meets_goals, section
from tests.strangers.study import Study
from tests.strangers.study_rows import Plan

_ROOT: Final = Path(__file__).resolve().parents[2]
_MARKS: Final = ("<!-- strangers: written by `python -m tests.strangers --write-docs` -->", "<!-- /strangers -->")
SHORT: Final = Plan(
    exports_per_clip=(3, 0, 0, 0),
    bases=(8, 0),
    bases_per_fault=(1, 0),
    weak_per_strength=0,
    clips=(
        *("shapes-h264-mp4", "text-h264", "counted-h264", "sd-601"),
        *("shapes-vp9-webm", "depth-422-10", "sound-5.1", "fade-h264"),
    ),
)
"""What takes two minutes on two cores."""


def main() -> int:
    """Exit code: 0 where every goal of the plan is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.strangers", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="eight clips and one output of each fault")
    parser.add_argument(
        "--drawn",
        type=int,
        nargs=2,
        metavar=("SEED", "COUNT"),
        help="clips drawn for development, instead of all others",
    )
    parser.add_argument("--work", type=Path, default=_ROOT / ".capbench" / "strangers", help="where files are kept")
    parser.add_argument("--shared", type=Path, default=_ROOT.parent / "shared", help="folder with media/ and cases/")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of which exporters and faults are drawn; what is held back does not depend on it",
    )
    parser.add_argument("--minutes", type=float, nargs=2, help="time for exports and for faults; no further one begins")
    parser.add_argument("--write-docs", action="store_true", help="write the tables into docs/validation.md")
    parser.add_argument("--json", type=Path, help="every row, for a closer look")
    asked = parser.parse_args()
    plan = replace(
        SHORT if asked.short else Plan(),
        seed=asked.seed,
        jobs=asked.jobs,
        minutes=asked.minutes and tuple(asked.minutes),
        drawn=asked.drawn and tuple(asked.drawn),
    )
    start = time.monotonic()
    study = Study(asked.work.resolve(), asked.shared if asked.shared.is_dir() else None, plan)
    result = study.run()
    result.seconds = time.monotonic() - start
    if asked.json:
        rows = {name: [asdict(row) for row in getattr(result, name)] for name in ("outputs", "controls", "faults")}
        asked.json.write_text(json.dumps({**rows, "not_made": result.not_made}, indent=1), encoding="utf-8")
    lines = [*section(result)]
    sys.stdout.write("\n".join([*lines, *disagreements(result)]) + "\n")
    sys.stderr.writelines(f"not made: {line}\n" for line in result.not_made)
    sys.stderr.writelines(f"absent: {name}\n" for name in result.absent)
    if asked.write_docs:
        write_between(_ROOT / "docs" / "validation.md", _MARKS, lines)
    return 0 if meets_goals(result) else 1


if __name__ == "__main__":
    sys.exit(main())
