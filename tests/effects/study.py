"""Measures drawn looks and writes how far estimates are from the truth, how many faults are flagged, and false alarms.

python -m tests.effects.study FOLDER|RESULTS.jsonl... [--titles TITLE...] [--jobs N] [--again] [--page FILE]

FOLDER holds what `draw_files` and `others_drawing` drew. Each result is kept beside its file, so an interrupted study
goes on; `--again` measures anew. RESULTS.jsonl is what `many_looks` found; several with one title are taken together.
`--page` puts the tables between two marks of a page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final

import numpy as np
from scipy import stats

from capbench.errors import CapbenchError
from capbench.quality.effects.inspect_output import measure_effects
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_look import ExpectedLook
from tests.effects.kept_results import OURS, MeasuredLook, read_folder, read_lines
from tests.effects.planted_faults import FAULTS
from tests.marked_page import write_between

__all__ = [
    "end_with_workers",
    "error_table",
    "fault_table",
    "folder_tables",
    "measure",
    "outcome_table",
    "read_results",
]

_AS_EVER: Final = (signal.SIGTERM, signal.SIG_DFL)
"""How a worker ends: without the study's own handler, which it is forked with."""
_QUALITIES: Final = (range(23), range(23, 31), range(31, 52))
"""Of H.264: good, common, coarse."""
_MARKS: Final = ("<!-- effects study -->", "<!-- end of effects study -->")


def measure(path: Path, *, again: bool = False) -> Path:
    """The findings of a drawn file, written beside it."""
    kept = path.with_suffix(".found")
    if kept.is_file() and not again:
        return kept
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    look = ExpectedLook.model_validate(facts["asked"])
    try:
        findings = [finding.model_dump() for finding in measure_effects(Path(facts["source"]), path, look).findings]
    except CapbenchError as error:
        findings = [EffectFinding(effect="file", outcome="unchecked", message=str(error)).model_dump()]
    kept.write_text(json.dumps(findings), encoding="utf-8")
    return kept


def read_results(path: Path) -> list[MeasuredLook]:
    """All that was measured, of a folder or of a file of lines."""
    return list(read_lines(path) if path.is_file() else read_folder(path))


def error_table(looks: Iterable[MeasuredLook]) -> list[str]:
    """Error of each parameter in right looks: asked is the truth there."""
    errors: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for look in looks:
        for finding in look.findings:
            for each in finding.parameters:
                if each.asked is not None and each.measured is not None and finding.asked:
                    errors[finding.effect, each.name].append((look.crf, abs(each.measured - each.asked)))
    lines = [
        "| effect | parameter | n | median | 95% | worst | median at CRF 0 to 22 | at CRF 23 to 30 | at CRF 31 to 38 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (effect, name), found in sorted(errors.items()):
        values = np.array([value for _, value in found])
        figures = [np.median(values), np.percentile(values, 95), values.max()]
        for crfs in _QUALITIES:
            some = [value for crf, value in found if crf in crfs]
            figures.append(np.median(some) if some else np.nan)
        cells = " | ".join("" if np.isnan(figure) else f"{figure:.3g}" for figure in figures)
        lines.append(f"| {effect} | {name} | {len(values)} | {cells} |")
    return lines


def outcome_table(looks: Sequence[MeasuredLook]) -> list[str]:
    """False alarms in right looks: asked and failed, not asked and found, by quality, and what could not be checked."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    by_quality: dict[str, list[list[int]]] = defaultdict(lambda: [[0, 0] for _ in _QUALITIES])
    for look in looks:
        quality = next(number for number, crfs in enumerate(_QUALITIES) if look.crf in crfs)
        for finding in look.findings:
            kind = "asked" if finding.asked else "unasked"
            counts[finding.effect][kind] += 1
            counts[finding.effect]["unchecked"] += finding.outcome == "unchecked"
            counts[finding.effect][f"{kind} failed"] += finding.outcome == "fail"
            by_quality[finding.effect][quality][0] += finding.outcome == "fail"
            by_quality[finding.effect][quality][1] += 1
    lines = [
        (
            "| effect | asked | failed all the same | not asked | found all the same | not checked "
            "| alarms at CRF 0 to 22 | 23 to 30 | 31 to 38 |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for effect, found in sorted(counts.items()):
        cells = [str(found["asked"]), _share(found["asked failed"], found["asked"])]
        cells += [str(found["unasked"]), _share(found["unasked failed"], found["unasked"]), str(found["unchecked"])]
        cells += [f"{failed} of {some}" for failed, some in by_quality[effect]]
        lines.append(f"| {effect} | {' | '.join(cells)} |")
    return lines


def fault_table(looks: Sequence[MeasuredLook]) -> list[str]:
    """Each kind of fault: how many are flagged by a check that names its effect, and what else fails."""
    lines = [
        (
            "| fault | planted | flagged | by | others: not checked | others: flagged elsewhere "
            "| other checks that fail |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    sums = [0] * 4
    for fault in FAULTS:
        planted = [look for look in looks if look.fault == fault.name]
        if not planted:
            continue
        own, others, unchecked, elsewhere = 0, Counter[str](), 0, 0
        for look in planted:
            failed = {each.effect for each in look.findings if each.outcome == "fail"}
            others.update(failed - set(fault.effects))
            if failed & set(fault.effects):
                own += 1
                continue
            elsewhere += bool(failed)
            unchecked += all(
                each.outcome in ("unchecked", "not_applicable")
                for each in look.findings
                if each.effect in fault.effects
            )
        sums = [a + b for a, b in zip(sums, (len(planted), own, unchecked, elsewhere), strict=True)]
        cells = [fault.name, len(planted), own, ", ".join(fault.effects), unchecked, elsewhere]
        cells.append(", ".join(f"{name} {count}" for name, count in sorted(others.items())))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append(f"| all | {sums[0]} | {_share(sums[1], sums[0])} | | {sums[2]} | {sums[3]} | |")
    return lines


def _share(count: int, total: int) -> str:
    """A count with its exact 95% interval (Clopper and Pearson, 1934)."""
    if total == 0:
        return "0"
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{count} ({low:.1%} to {high:.1%})"


def folder_tables(title: str, looks: Sequence[MeasuredLook]) -> list[str]:
    """All tables of one folder: looks of ours, those that each program drew, and faults."""
    right = [look for look in looks if not look.fault]
    ours = [look for look in right if look.drawn_by == OURS]
    others = [look for look in right if look.drawn_by != OURS]
    faults = [look for look in looks if look.fault]
    lines = [f"{title}: {len(ours)} right looks drawn by the oracle"]
    broken = [look.name for look in looks if not look.findings]
    if broken:
        lines += ["", f"Could not be drawn or measured: {', '.join(broken)}"]
    if ours:
        lines += ["", *error_table(ours), "", *outcome_table(ours)]
    if others:
        counted = [f"{name} ({sum(look.drawn_by == name for look in others)})" for name in _names(others)]
        lines += ["", f"{title}: {len(others)} right looks drawn by {', '.join(counted)}", "", *error_table(others)]
        lines += ["", *outcome_table(others), ""]
        for name in _names(others):
            failed = [
                f"{look.name} {finding.effect}"
                for look in others
                for finding in look.findings
                if look.drawn_by == name and finding.outcome == "fail"
            ]
            lines.append(f"* {name}: {', '.join(failed) or 'no false alarm'}")
    if faults:
        lines += ["", f"{title}: planted faults", "", *fault_table(faults)]
    return lines


def _names(looks: Iterable[MeasuredLook]) -> list[str]:
    return sorted({look.drawn_by for look in looks})


def main() -> None:
    """Measure what is not measured yet, then print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER|RESULTS")
    parser.add_argument("--titles", nargs="+", help="one for each: its name where there is none")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, end_with_workers)
    titles = options.titles or [folder.stem for folder in options.folders]
    looks: dict[str, list[MeasuredLook]] = defaultdict(list)
    for folder, title in zip(options.folders, titles, strict=True):
        files = [path for path in sorted(folder.glob("*/*.mp4")) if path.with_suffix(".json").is_file()]
        with ProcessPoolExecutor(options.jobs, initializer=signal.signal, initargs=_AS_EVER) as pool:
            for done, kept in enumerate(pool.map(_measured, [(path, options.again) for path in files]), 1):
                sys.stderr.write(f"{done} of {len(files)}: {kept.stem}\n")
        looks[title] += read_results(folder)
    lines: list[str] = []
    for title, some in looks.items():
        lines += [*([""] if lines else []), *folder_tables(title, some)]
    sys.stdout.write("\n".join(lines) + "\n")
    if options.page is not None:
        write_between(options.page, _MARKS, lines)


def end_with_workers(number: int, _: FrameType | None) -> None:
    """Take the workers along: they would wait for ever, for each holds the queue open that it waits on."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    sys.exit(128 + number)


def _measured(job: tuple[Path, bool]) -> Path:
    return measure(job[0], again=job[1])


if __name__ == "__main__":
    main()
