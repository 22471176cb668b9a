"""From tables of runs to pairs: one row for each block in which both sides ran."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.errors import ResultError
from capbench.results.run_record import MAX_OVERLAP_SHARE, RunRole
from capbench.results.subject_name import is_capacity, is_floor

__all__ = ["PairedCase", "column", "finished", "measured_runs", "pair_cases", "side_of", "ways_of_timing"]

_KEYS = ["machine", "fingerprint", "block"]
"""Two machines of one model and one software have one fingerprint; a folder of several machines names them."""


@dataclass(frozen=True, eq=False)
class PairedCase:
    """One case of one subject against another: all runs of both, and those that pair up."""

    case: str
    """Name of the case."""
    base_subject: str
    """Subject that is compared against."""
    new_subject: str
    """Subject that is judged."""
    base_runs: pd.DataFrame
    """Every measured run of base, failed ones included."""
    new_runs: pd.DataFrame
    """Every measured run of new, failed ones included."""
    base: pd.DataFrame
    """Finished runs of base that have a partner, one row a block, same order as `new`."""
    new: pd.DataFrame
    """Finished runs of new that have a partner."""
    side_by_side: bool
    """Whether the pairs ran in one block of one folder: then the machine's drift meets both alike."""
    corpus: str | None = None
    """The corpus that the case stands for or is a clip of; None for a case of its own."""

    @property
    def is_corpus(self) -> bool:
        """Whether the case stands for the clips of a corpus together."""
        return self.corpus == self.case

    @property
    def is_clip(self) -> bool:
        """Whether the case is one clip of a corpus."""
        return self.corpus not in (None, self.case)

    def values(self, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Base and new where both were measured, each of shape (pairs,), in the metric's unit."""
        base, new = column(self.base, metric), column(self.new, metric)
        known = ~(np.isnan(base) | np.isnan(new))
        return base[known], new[known]


def column(runs: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A numeric column, NaN where it was not measured or does not exist. Raises `ResultError` for text."""
    if name not in runs.columns:
        return np.full(len(runs), np.nan)
    try:
        return pd.to_numeric(runs[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ResultError(f"column {name!r} is not numeric: {error}") from error


def measured_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs that count: no warm-up, no drift control, no capacity, and no block in slices that were seen to overlap.

    Raises `ResultError` where a needed column is missing.
    """
    missing = [name for name in ("case", "subject", "block") if name not in runs.columns]
    if missing:
        raise ResultError(f"a table of runs needs the columns case, subject and block; missing: {', '.join(missing)}")
    kept = runs[(pd.to_numeric(runs["block"]) >= 0) & ~runs["subject"].map(is_capacity).astype(bool)]
    if "role" in kept.columns:
        kept = kept[kept["role"].isna() | (kept["role"].astype(str) == RunRole.MEASURE.value)]
    if "slices.overlap_share" in kept.columns:
        kept = kept[~(pd.to_numeric(kept["slices.overlap_share"]) > MAX_OVERLAP_SHARE)]
    return kept


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs without an error."""
    return runs[runs["error"].isna()] if "error" in runs.columns else runs


def ways_of_timing(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """How runs were interleaved and scheduled, each way once; tables of earlier versions say neither."""
    ways = pd.DataFrame(
        {
            name: runs[name].fillna(default) if name in runs.columns else default
            for name, default in (("interleave", "runs"), ("scheduling", "normal"))
        },
        index=runs.index,
    )
    return list(ways.drop_duplicates().itertuples(index=False, name=None))


def pair_cases(
    base: pd.DataFrame,
    new: pd.DataFrame,
    pairs: Sequence[tuple[str, str]] | None = None,
    absent: Collection[tuple[str, str]] = (),
) -> Iterator[PairedCase]:
    """Pair everything comparable: same case, and the same subject unless both tables hold one subject only.

    `pairs` of (base, new) subjects replaces that choice; a pair of which a case has neither side is left out of it, and
    so is one whose new subject was never to run there: `absent` has (case, subject).
    Runs pair by machine and block. A case of base that new lacks comes out with empty tables. Raises `ResultError`
    where two runs of one subject claim the same block.
    """
    base, new = measured_runs(base), measured_runs(new)
    for case in dict.fromkeys([*base["case"], *new["case"]]):
        in_base, in_new = base[base["case"] == case], new[new["case"] == case]
        for base_subject, new_subject in _subjects(in_base, in_new) if pairs is None else pairs:
            if base_subject == new_subject and is_floor(base_subject):
                continue  # two folders that hold nothing but the floor in this case
            if (str(case), new_subject) in absent:
                continue
            of_base, of_new = in_base[in_base["subject"] == base_subject], in_new[in_new["subject"] == new_subject]
            if len(of_base) or len(of_new):
                yield _pair(str(case), base_subject, new_subject, of_base, of_new)


def side_of(runs: pd.DataFrame, subject: str) -> pd.DataFrame:
    """One subject's runs of a folder's table, with the floor's, which say what the machine did meanwhile."""
    names = runs["subject"].astype(str)
    return runs[(names == subject) | names.map(is_floor)]


def _subjects(base: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str]]:
    in_base, in_new = _judged(base), _judged(new)
    if len(in_base) == 1 and len(in_new) == 1:
        return [(in_base[0], in_new[0])]
    if not in_base or not in_new:
        return [(name, name) for name in in_base or in_new]
    return [(name, name) for name in dict.fromkeys([*in_base, *in_new])]


def _judged(runs: pd.DataFrame) -> list[str]:
    """Subjects of one side; the floor only where it is alone there."""
    names = list(dict.fromkeys(map(str, runs["subject"])))
    return [name for name in names if not is_floor(name)] or names[:1]


def _pair(case: str, base_subject: str, new_subject: str, base: pd.DataFrame, new: pd.DataFrame) -> PairedCase:
    keyed_base, keyed_new = _keyed(finished(base), case, base_subject), _keyed(finished(new), case, new_subject)
    shared = keyed_base.index.intersection(keyed_new.index, sort=False)
    if shared.empty and not _same_machines(base, new):
        # Bytes and quality of two machines still compare; whoever judges times sees the fingerprints.
        keyed_base, keyed_new = _by_block(keyed_base), _by_block(keyed_new)
        shared = keyed_base.index.intersection(keyed_new.index, sort=False)
    return PairedCase(
        case=case,
        base_subject=base_subject,
        new_subject=new_subject,
        base_runs=base,
        new_runs=new,
        base=keyed_base.loc[shared],
        new=keyed_new.loc[shared],
        side_by_side=_folders(base) == _folders(new),
        corpus=next(
            (str(name) for runs in (base, new) if "corpus" in runs.columns for name in runs["corpus"].dropna()), None
        ),
    )


def _keyed(runs: pd.DataFrame, case: str, subject: str) -> pd.DataFrame:
    filled = runs.assign(
        **{
            name: runs[name].fillna("").astype(str) if name in runs.columns else ""
            for name in ("machine", "fingerprint")
        },
        block=pd.to_numeric(runs["block"]).astype(int),
    )
    keyed = filled.set_index(_KEYS)
    if keyed.index.has_duplicates:
        twice = keyed.index[keyed.index.duplicated()][0]
        raise ResultError(
            f"{case}: {subject} has two runs of block {twice[-1]} on one machine; compare one folder at a time"
        )
    return keyed.sort_index()


def _by_block(keyed: pd.DataFrame) -> pd.DataFrame:
    """Without the machine; of several machines' runs of one block the first stays."""
    runs = keyed.droplevel(["machine", "fingerprint"])
    return runs[~runs.index.duplicated()]


def _same_machines(base: pd.DataFrame, new: pd.DataFrame) -> bool:
    if "fingerprint" not in base.columns or "fingerprint" not in new.columns:
        return True
    return bool(set(base["fingerprint"].dropna()) & set(new["fingerprint"].dropna()))


def _folders(runs: pd.DataFrame) -> frozenset[str]:
    return frozenset(runs["folder"].dropna().astype(str)) if "folder" in runs.columns else frozenset()
