"""The points of a curve and the clips of a corpus as one row a block: blocks stay the unit of every statistic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.results.run_record import RunRole
from capbench.results.subject_name import is_capacity

__all__ = ["POINTS", "fold_blocks", "is_clip", "is_of_one_point", "label_points"]

POINTS = "points"
"""Column of a folded table: the points that a row stands for, in words; None for a case without a curve."""
_FOLDERS = ("folder", "fingerprint", "machine")
_SIZES = ("output_bytes", "video_bytes", "bitrate_bits_per_s")
_LARGEST = ("peak_*", "gpu_memory_bytes", "slices.overlap_share")
_MEANS = ("stage.*", "telemetry.*", "block", "order")
_LISTS = ("validation.failures", "thresholds.failures", "fallbacks", "warnings")


def fold_blocks(runs: pd.DataFrame) -> pd.DataFrame:
    """A table of runs in which each block of a curve is one row, and each block of a corpus one row more.

    The row of a curve replaces those of its points: geometric means of what differs from run to run, sums of what is
    counted, the largest of peaks. It has no size and no quality: at one setting two encoders may differ in both, and
    only their curves compare. The row of a corpus has the corpus for its case, the same over its clips, and the mean of
    quality; the clips' own rows stay. A block in which a point or a clip is missing has no row; one in which a run
    failed has a row that failed. Warm-ups, and tables without curves and corpora, stay as they are.
    """
    folded = runs
    if "point.value" in folded.columns and folded["point.value"].notna().any():
        folded = _fold_points(folded)
    if "corpus" in folded.columns and folded["corpus"].notna().any():
        clips = folded[is_clip(folded)]
        if len(clips) == int(folded["corpus"].notna().sum()):  # else it is folded already
            folded = pd.concat([folded, _fold_clips(clips)], ignore_index=True)
    return folded


def is_clip(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are runs of a corpus's clip, rather than of a corpus or of a case of its own."""
    if "corpus" not in runs.columns:
        return pd.Series(data=False, index=runs.index)
    return runs["corpus"].notna() & (runs["corpus"] != runs["case"])


def label_points(runs: pd.DataFrame) -> pd.Series[str]:
    """`qp=24` and so on for each row, which must all be points of a curve."""
    values = pd.to_numeric(runs["point.value"]).map(
        lambda value: f"{value:.0f}" if value == int(value) else f"{value:g}"
    )
    return runs["point.parameter"].astype(str) + "=" + values


def _fold_points(runs: pd.DataFrame) -> pd.DataFrame:
    has_point = runs["point.value"].notna() & (pd.to_numeric(runs["block"]) >= 0)
    if "role" in runs.columns:
        has_point &= runs["role"].isna() | (runs["role"].astype(str) == RunRole.MEASURE.value)
    has_point &= ~runs["subject"].map(is_capacity).astype(bool)
    points = runs[has_point].sort_values("point.value", kind="stable")
    points = points.assign(_part=label_points(points))
    folders = [name for name in _FOLDERS if name in runs.columns]
    points = _with_parts_named(points, "at")
    rows = _fold(points, [*folders, "case", "subject", "block"], whole=["case"], drops=is_of_one_point)
    rows = rows.drop(columns=["point.value", "point.parameter"]).rename(columns={"_parts": POINTS})
    return pd.concat([runs[~has_point], rows], ignore_index=True)


def _fold_clips(clips: pd.DataFrame) -> pd.DataFrame:
    folders = [name for name in (*_FOLDERS, "role") if name in clips.columns]
    rows = _fold(
        _with_parts_named(clips.assign(_part=clips["case"]), "in"),
        [*folders, "corpus", "subject", "block"],
        whole=["corpus"],
        drops=lambda _: False,
    )
    return rows.assign(case=rows["corpus"]).drop(columns="_parts")


def _with_parts_named(runs: pd.DataFrame, word: str) -> pd.DataFrame:
    """The runs with what failed named by its part: `picture.size at qp=24`."""
    parts = runs["_part"]
    named = runs.copy()
    for name in ("validation.failures", "thresholds.failures"):
        if name in runs.columns:
            named[name] = [
                tuple(f"{text} {word} {part}" for text in _texts(cell))
                for cell, part in zip(runs[name], parts, strict=True)
            ]
    if "error" in runs.columns:
        named["error"] = [
            f"{cell} ({word} {part})" if isinstance(cell, str) else cell
            for cell, part in zip(runs["error"], parts, strict=True)
        ]
    return named


def is_of_one_point(name: str) -> bool:
    """Whether a figure belongs to one point of a curve and says nothing about the whole: size and quality."""
    return name in _SIZES or name.startswith("quality.")


def _fold(
    runs: pd.DataFrame, keys: Sequence[str], *, whole: Sequence[str], drops: Callable[[str], bool]
) -> pd.DataFrame:
    """One row for each group of `keys` that has every part (`_part`) which any group of the same `whole` has."""
    parts = runs.groupby([name for name in keys if name in ("folder", "machine")] + list(whole), dropna=False)["_part"]
    complete = runs.groupby(list(keys), dropna=False)["_part"].transform("nunique") == parts.transform("nunique")
    whole_runs = runs[complete]
    groups: NDArray[np.intp] = np.asarray(
        whole_runs.groupby(list(keys), sort=False, dropna=False).ngroup(), dtype=np.intp
    )
    count = int(groups.max()) + 1 if groups.size else 0
    members = [np.flatnonzero(groups == group) for group in range(count)]
    rows: dict[str, Sequence[object] | NDArray[np.float64]] = {}
    for name in map(str, runs.columns):
        column = whole_runs[name]
        if name == "_part":
            rows["_parts"] = [", ".join(dict.fromkeys(map(str, column.iloc[places]))) for places in members]
        elif name in keys:
            rows[name] = [column.iloc[places[0]] for places in members]
        elif pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            rows[name] = np.full(count, np.nan) if drops(name) else _fold_numbers(name, values, groups, count)
        else:
            cells, fold = list(column), _fold_cells(name)
            rows[name] = [fold([cells[place] for place in places]) for places in members]
    folded = pd.DataFrame(rows)
    return _with_diverted(folded, whole_runs, keys) if {"path_requested", "path_used"} <= set(rows) else folded


def _fold_numbers(name: str, values: NDArray[np.float64], groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """A column of numbers by group, shape (count,); not a number where any part was not measured.

    What differs from run to run has its geometric mean: a ratio of two of them is the mean ratio, whichever part takes
    longest. Where a part is 0 it has the plain mean.
    """
    if any(fnmatchcase(name, glob) for glob in _LARGEST):
        largest = np.full(count, -np.inf)
        with np.errstate(invalid="ignore"):  # what was not measured stays so
            np.maximum.at(largest, groups, values)
        return largest
    sums = _sums(values, groups, count)
    kind = describe_metric(name).kind
    if kind in (Kind.COUNTED, Kind.EQUAL):
        return sums
    sizes = np.bincount(groups, minlength=count)
    if kind is Kind.QUALITY or any(fnmatchcase(name, glob) for glob in _MEANS):
        return sums / sizes
    smallest = np.full(count, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.minimum.at(smallest, groups, values)
        typical = np.exp(_sums(np.log(values), groups, count) / sizes)
    return np.where(smallest > 0, typical, sums / sizes)


def _sums(values: NDArray[np.float64], groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Sums by group, shape (count,)."""
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def _fold_cells(name: str) -> Callable[[Sequence[object]], object]:
    """How cells that are no numbers become one."""
    if name == "validation.passed":
        return _all_passed
    if name in _LISTS:
        return lambda cells: tuple(dict.fromkeys(part for cell in cells for part in _texts(cell)))
    if name in ("error", "error_kind", "adapter"):
        return lambda cells: next((cell for cell in cells if not _is_missing(cell)), None)
    if name == "adapter_is_software":
        return lambda cells: next((cell for cell in cells if not _is_missing(cell) and bool(cell)), cells[0])
    return lambda cells: cells[0]


def _all_passed(cells: Sequence[object]) -> bool | None:
    """Whether all parts passed; None where one was not validated and none failed."""
    found = [None if _is_missing(cell) else bool(cell) for cell in cells]
    if False in found:
        return False
    return None if None in found else True


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))


def _with_diverted(rows: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The path of the first part that took another one than was asked for, where any did."""
    both = runs["path_used"].notna() & runs["path_requested"].notna()
    diverted = runs[both & (runs["path_used"] != runs["path_requested"])].drop_duplicates(list(keys))
    if diverted.empty:
        return rows
    found = rows[list(keys)].merge(
        diverted[[*keys, "path_used", "path_requested"]], on=list(keys), how="left", validate="one_to_one"
    )
    is_diverted = found["path_used"].notna().to_numpy()
    for name in ("path_used", "path_requested"):
        rows.loc[is_diverted, name] = found.loc[is_diverted, name].to_numpy()
    return rows


def _texts(cell: object) -> tuple[str, ...]:
    return tuple(map(str, cell)) if isinstance(cell, tuple | list) else ()
