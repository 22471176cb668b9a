"""Records of a part as text, every float to its last digit: what a process or a machine hands back."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capbench.errors import PartError
from capbench.quality.measurements import BlurredPart, DetailLoss, SampledPair
from capbench.quality.metrics.background_meters import Measured
from capbench.quality.metrics.pairs.colour_samples import ColourLook
from capbench.quality.metrics.pairs.pair_records import FrameFigures, PairRecords, WorstPair
from capbench.quality.parts.part_plan import PairedFrame, PartPlan, paired_frame

__all__ = ["PartAnswer", "records_as_json", "records_from_json"]

_COLUMNS = 6
"""Of an array of colours: reference Y, Cb, Cr and the output's."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class PartAnswer:
    """What comes back of a part."""

    records: PairRecords
    """All that was recorded."""
    worst_frames: dict[int, PairedFrame]
    """Output frame to its pair, of the worst ones: by it they are found again where pictures of them are wanted."""


def records_as_json(records: PairRecords, plan: PartPlan) -> str:
    """What came of a plan, as text that `records_from_json` reads."""
    shown = [(each.output_frame, plan.frames[each.output_frame - plan.first_frame]) for each in records.worst]
    return json.dumps(
        {
            "first_frame": records.first_frame,
            "pairs": records.pairs,
            "series": records.series,
            "figures": [asdict(each) for each in records.figures],
            "sampled": [asdict(each) for each in records.sampled],
            "looks": [
                {
                    "blocks": _packed(look.blocks),
                    "sums": [[colour, row.tolist()] for colour, row in look.sums.items()],
                }
                for look in records.looks
            ],
            "levels": [[counts.tolist(), sums.tolist()] for counts, sums in records.levels],
            "cut_codes": [None if sums is None else sums.tolist() for sums in records.cut_codes],
            "patches": [_packed(rows) for rows in records.patches],
            "patch_areas_px": records.patch_areas_px,
            "worst": [asdict(each) for each in records.worst],
            "how": records.measured.how,
            "unmeasured": records.measured.unmeasured,
            "worst_frames": [[frame, asdict(pair)] for frame, pair in shown],
        }
    )


def records_from_json(text: str) -> PartAnswer:
    """Read what `records_as_json` wrote. Raises `PartError` for anything else."""
    try:
        found: Json = json.loads(text)
        records = PairRecords(
            first_frame=int(found["first_frame"]),
            pairs=int(found["pairs"]),
            series={str(name): [_value(value) for value in values] for name, values in found["series"].items()},
            figures=[_figures(each) for each in found["figures"]],
            sampled=[_sampled(each) for each in found["sampled"]],
            looks=[
                ColourLook(
                    _unpacked(look["blocks"]),
                    {int(colour): np.array(row, np.float64) for colour, row in look["sums"]},
                )
                for look in found["looks"]
            ],
            levels=[(np.array(counts, np.intp), np.array(sums, np.float64)) for counts, sums in found["levels"]],
            cut_codes=[None if sums is None else np.array(sums, np.float64) for sums in found["cut_codes"]],
            patches=[_unpacked(packed) for packed in found["patches"]],
            patch_areas_px=[float(area) for area in found["patch_areas_px"]],
            worst=[WorstPair(**each) for each in found["worst"]],
            measured=Measured(how=dict(found["how"]), unmeasured=dict(found["unmeasured"])),
        )
        return PartAnswer(records, {int(frame): paired_frame(pair) for frame, pair in found["worst_frames"]})
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise PartError(f"not the records of a part: {type(error).__name__} {error}") from error


def _value(value: float | None) -> float | None:
    return None if value is None else float(value)


def _figures(fields: Json) -> FrameFigures:
    parts = tuple(BlurredPart(**part) for part in fields["blurred_parts"])
    return FrameFigures(**_tuples(fields) | {"blurred_parts": parts})


def _sampled(fields: Json) -> SampledPair:
    loss = fields["detail_loss"]
    return SampledPair(**_tuples(fields) | {"detail_loss": None if loss is None else DetailLoss(**loss)})


def _tuples(fields: Json) -> Json:
    """JSON knows lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _packed(rows: NDArray[np.float64]) -> str:
    return base64.b64encode(np.ascontiguousarray(rows, "<f8").tobytes()).decode("ascii")


def _unpacked(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f8").reshape(-1, _COLUMNS).astype(np.float64)
