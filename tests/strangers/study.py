"""The study: export, let the referee and capbench judge, plant faults, and count."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from tests.strangers.capbench_verdict import Verdict, ask_capbench, tree_key
from tests.strangers.drawn_clips import draw_clips
from tests.strangers.encoder_programs.exporters_2262 import EXPORTERS_2262
from tests.strangers.encoder_programs.exporters_6396 import EXPORTERS_6396
from tests.strangers.encoder_programs.exporters_9555 import EXPORTERS_9555
from tests.strangers.encoder_programs.held_back_exporters import HELD_BACK_EXPORTERS
from tests.strangers.faults.fault_tools import Base, Fault, base_of
from tests.strangers.faults.planted_faults import CONTROLS, FAULTS
from tests.strangers.foreign_exporters import EXPORTERS, Exporter, Request
from tests.strangers.held_back import Split, held_back_clips, opened_clips, seen_published_clips
from tests.strangers.refereeing.opinions import Finding, Judgement, Opinion
from tests.strangers.refereeing.referee import judge
from tests.strangers.refereeing.second_decoders import counted_opinion, second_opinion
from tests.strangers.source_clips import COUNTER, Clip, all_clips
from tests.strangers.stream_facts import StreamFacts, probe
from tests.strangers.study_rows import FaultRow, OutputRow, Plan, StudyResult
from tests.strangers.tool_programs import FileCache, ToolError, content_key

__all__ = ["Study"]

_HERE: Final = Path(__file__).parent
_REFEREE_FILES: Final = (
    *sorted((_HERE / "refereeing").glob("*.py")),
    _HERE / "stream_facts.py",
    _HERE / "container_colours.py",
)
"""What a kept judgement depends on."""
_ROUND: Final = 3
"""Exporters of a clip in one go: what was decoded of the reference is still known."""
_CHANGING: Final = ("-to-25", "-r-25", "-half-size")
"""How the names of exporters end that are asked for something else than the clip as it is."""
_ALL_EXPORTERS: Final[tuple[tuple[Exporter, ...], ...]] = (
    EXPORTERS,
    (*EXPORTERS_9555, *EXPORTERS_6396),
    EXPORTERS_2262,
    HELD_BACK_EXPORTERS,
)
"""In the order of the counts of a plan."""
_DRAWS: Final = ("", ":further", ":opened", ":held back")
"""What each of these parts is drawn by beside the name of the clip. The first go on being what they were."""
_T = TypeVar("_T")
_R = TypeVar("_R")


class Study:
    """Runs the parts in order; every file and verdict is kept, so that an interrupted study goes on."""

    def __init__(self, folder: Path, shared: Path | None, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._exports = FileCache(folder / "exports")
        self._faulty = FileCache(folder / "faulty")
        self._clips = FileCache(folder / "clips")
        held_back: tuple[Clip, ...] = ()
        opened: tuple[Clip, ...] = ()
        not_fetched: list[str] = []
        exporters = _ALL_EXPORTERS
        if plan.drawn is not None:
            self._sources = list(draw_clips(*plan.drawn))
        elif plan.clips:
            self._sources = [clip for clip in all_clips(shared) if clip.name in plan.clips]
        else:
            seen, not_fetched = seen_published_clips(folder)
            opened, missing_of_opened = opened_clips(folder)
            held_back, missing_of_held_back = held_back_clips(folder)
            not_fetched = [*not_fetched, *missing_of_opened, *missing_of_held_back]
            self._sources = [*all_clips(shared), *seen, *opened, *held_back]
        if plan.drawn is not None or plan.clips:
            exporters = (EXPORTERS, (), (), ())
        asked = [each for part in exporters for each in part if not plan.exporters or each.name in plan.exporters]
        present = [each for each in asked if each.version is not None]
        self._exporters = tuple([each for each in present if each in part] for part in exporters)
        self._opened = frozenset(clip.family for clip in opened)
        split = Split(frozenset(clip.family for clip in held_back), frozenset(each.name for each in exporters[-1]))
        absent = sorted({each.program for each in asked if each not in present})
        self.result = StudyResult(split, not_made=not_fetched, absent=absent)
        self._lock = threading.Lock()
        self._done = 0

    def run(self) -> StudyResult:
        """All of it."""
        pairs = list(self._pairs())
        limits = self._plan.minutes or (None, None)
        rows = self._all(self._export_and_judge, pairs, "exports", limits[0])
        self.result.outputs = [row for row in rows if row is not None]
        bases = self._bases(limits[1])
        self.result.faults = self._planted(bases, limits[1])
        return self.result

    def _all(
        self, work: Callable[[_T], _R | None], items: Sequence[_T], what: str, minutes: float | None = None
    ) -> list[_R | None]:
        self._done = 0
        end = None if minutes is None else time.monotonic() + 60 * minutes

        def counted(item: _T) -> _R | None:
            if end is not None and time.monotonic() > end:
                return None
            answer = work(item)
            with self._lock:
                self._done += 1
                if self._done % 20 == 0 or self._done == len(items):
                    sys.stderr.write(f"{what}: {self._done} of {len(items)}\n")
            return answer

        with ThreadPoolExecutor(self._plan.jobs) as pool:
            return list(pool.map(counted, items))

    def _failed(self, error: object) -> None:
        with self._lock:
            self.result.not_made.append(str(error))

    def _pairs(self) -> Iterator[tuple[Clip, StreamFacts, Exporter]]:
        """In rounds over all clips, so that a study that is ended by its time has seen each of them."""
        drawn: list[tuple[Clip, StreamFacts, list[Exporter]]] = []
        for clip in self._sources:
            try:
                facts = probe(clip.make(self._clips))
            except ToolError as error:
                self._failed(error)
                continue
            self.result.clips_made += 1
            drawn.append((clip, facts, self._drawn_exporters(clip, facts)))
        longest = max((len(exporters) for _, _, exporters in drawn), default=0)
        for start in range(0, longest, _ROUND):
            for clip, facts, exporters in drawn:
                yield from ((clip, facts, each) for each in exporters[start : start + _ROUND])

    def _drawn_exporters(self, clip: Clip, facts: StreamFacts) -> list[Exporter]:
        plan = self._plan
        counts = plan.exports_per_clip
        if clip.family in self.result.split.families:
            counts = plan.exports_per_held_back_clip
        elif clip.family in self._opened:
            counts = plan.exports_per_opened_clip
        drawn: list[Exporter] = []
        # Each part by a draw of its own: what is drawn of one does not change with what there is of the other.
        for exporters, count, part in zip(self._exporters, counts, _DRAWS, strict=True):
            able = [each for each in exporters if each.takes(facts)]
            choose = random.Random(f"{self._plan.seed}:{clip.name}{part}")
            drawn += choose.sample(able, min(count, len(able)))
        return drawn

    def _export_and_judge(self, item: tuple[Clip, StreamFacts, Exporter]) -> OutputRow | None:
        clip, facts, exporter = item
        request = exporter.request_for(facts)
        try:
            path = exporter.export(facts, self._exports, tree=tree_key(with_quality=False))
            output = probe(path)
            judgement = self._judge(facts, output, request)
        except (ToolError, ArithmeticError, LookupError, ValueError) as error:
            # What the referee cannot read is listed and not counted: one odd file must not end the study.
            self._failed(f"{clip.name} by {exporter.name}: {type(error).__name__}: {error}")
            return None
        verdict = ask_capbench(facts.path, path, request, self._folder / "verdicts")
        if verdict.is_lost:
            self._failed(f"{clip.name} by {exporter.name}: {verdict.error}")
            return None
        # Half of what another decoder can read, which is a tenth of all, drawn by what the file is.
        asked = int(content_key(path)[:4], 16) % 2 == 0
        return OutputRow(
            clip=clip.name,
            family=clip.family,
            exporter=exporter.name,
            version=exporter.version or "",
            held_back=self.result.split.is_held_back(clip.family, exporter.name),
            opinion=judgement.opinion.value,
            subjects=tuple(sorted({finding.subject for finding in judgement.findings})),
            findings="; ".join(finding.message for finding in judgement.findings),
            figures=judgement.figures,
            flagged=verdict.flagged,
            failed=verdict.failed + verdict.unchecked,
            says=verdict.says(),
            reference=str(facts.path),
            output=str(path),
            second_decoder=self._second_opinion(clip, facts, output, asked=asked),
        )

    def _second_opinion(self, clip: Clip, reference: StreamFacts, output: StreamFacts, *, asked: bool) -> str:
        is_counted = clip.picture == COUNTER
        if not asked and not is_counted:
            return "not asked"
        path = self._folder / "decoded" / content_key(reference.path, output.path, is_counted, *_REFEREE_FILES)
        if path.is_file():
            return path.read_text(encoding="utf-8")
        try:
            said = counted_opinion(reference, output) if is_counted else second_opinion(output)
        except ToolError as error:
            return f"failed: {error}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")
        return said

    def _judge(self, reference: StreamFacts, output: StreamFacts, request: Request) -> Judgement:
        path = (
            self._folder / "judgements" / f"{content_key(reference.path, output.path, request, *_REFEREE_FILES)}.json"
        )
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            found = [Finding(each["subject"], Opinion(each["opinion"]), each["message"]) for each in known["findings"]]
            return Judgement(tuple(found), known["figures"])
        judgement = judge(reference, output, request)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(judgement)), encoding="utf-8")
        return judgement

    def _bases(self, minutes: float | None) -> list[Base]:
        """Right outputs that pass, with a picture and a sound control that pass too; drawn by seed."""
        right = [row for row in self.result.outputs if row.opinion == "right" and not row.flagged]
        right.sort(key=lambda row: self._place(row.clip, row.exporter))
        good: list[Base] = []
        for wanted, is_held_back in zip(self._plan.bases, (False, True), strict=True):
            rows = [row for row in right if row.held_back == is_held_back and not row.exporter.endswith(_CHANGING)]
            made = self._all(self._base, rows[: 2 * wanted], "bases", minutes and minutes / 4)
            good += [base for base in made if base is not None][:wanted]
        return good

    def _is_held_back(self, base: Base) -> bool:
        family = next(clip.family for clip in self._sources if clip.name == base.clip)
        return self.result.split.is_held_back(family, base.exporter)

    def _place(self, *names: str) -> str:
        """In a drawn order that does not change with what else there is: files made for fewer outputs still count."""
        return content_key(self._plan.seed, *names)

    def _base(self, row: OutputRow) -> Base | None:
        try:
            base = base_of(
                probe(Path(row.reference)),
                probe(Path(row.output)),
                exporter=row.exporter,
                clip=row.clip,
                request=_request_of(row),
            )
        except ToolError as error:
            self._failed(error)
            return None
        if base is None:
            return None
        for control in CONTROLS:
            if not control.needs(base):
                continue
            found = self._plant((control, 0.0, base, True))
            if found is None:
                return None
            with self._lock:
                self.result.controls.append(found)
            if found.flagged:
                return None
        return base

    def _planted(self, bases: Sequence[Base], minutes: float | None) -> list[FaultRow]:
        work: list[tuple[Fault, float, Base, bool]] = []
        for fault in FAULTS:
            if self._plan.faults and fault.name not in self._plan.faults:
                continue
            able = sorted(
                filter(fault.needs, bases), key=lambda base: self._place(fault.name, base.clip, base.exporter)
            )
            parts = [[base for base in able if self._is_held_back(base) == part] for part in (False, True)]
            drawn = [
                base for part, count in zip(parts, self._plan.bases_per_fault, strict=True) for base in part[:count]
            ]
            for number, base in enumerate(drawn):
                work.append((fault, fault.judged[number % len(fault.judged)], base, True))
            for strength in fault.weak:
                work += [(fault, strength, base, False) for base in drawn[: self._plan.weak_per_strength]]
        random.Random(self._plan.seed).shuffle(work)
        rows = self._all(self._plant, work, "faults", minutes)
        return [row for row in rows if row is not None]

    def _plant(self, item: tuple[Fault, float, Base, bool]) -> FaultRow | None:
        fault, strength, base, is_judged = item
        recipes = sorted((_HERE / "faults").glob("*.py"))
        key = content_key(base.output.path, base.moving, fault.name, strength, *recipes)
        stem, suffix = f"{base.clip}-{base.exporter}-{fault.name}", base.output.path.suffix
        try:
            path = self._faulty.get(stem, suffix, key, lambda partial: fault.make(base, strength, partial))
        except ToolError as error:
            self._failed(error)
            return None
        verdict = ask_capbench(base.reference.path, path, base.request, self._folder / "verdicts")
        if verdict.is_lost:
            self._failed(f"{fault.name} in {base.clip} by {base.exporter}: {verdict.error}")
            return None
        return FaultRow(
            fault=fault.name,
            subject=fault.subject,
            strength=strength,
            judged=is_judged,
            clip=base.clip,
            exporter=base.exporter,
            held_back=self._is_held_back(base),
            flagged=verdict.flagged,
            named=_names(verdict, fault.caught_by),
            failed=verdict.failed + verdict.unchecked,
            says=verdict.says(),
            reference=str(base.reference.path),
            output=str(path),
        )


def _request_of(row: OutputRow) -> Request:
    exporter = next(each for part in _ALL_EXPORTERS for each in part if each.name == row.exporter)
    return exporter.request_for(probe(Path(row.reference)))


def _names(verdict: Verdict, caught_by: Iterable[str]) -> bool:
    # A file that cannot be read at all says so itself, in an error of one line.
    unreadable = verdict.error is not None and not verdict.error.startswith(("TRACEBACK", "validation "))
    return unreadable or bool(set(verdict.failed) & set(caught_by))
