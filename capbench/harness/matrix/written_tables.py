"""Small tables inside matrix files as people write them: limits, recordings, curves, downloads and looks."""

from __future__ import annotations

from typing import Annotated, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from capbench.harness.matrix.model import Curve, Download, Limit, OwnRecording
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.results.appearance.read_look import without_unknown
from capbench.results.run_record import CurveParameter
from capbench.units import parse_bitrate, shown

__all__ = [
    "WRITTEN",
    "WrittenCurve",
    "WrittenDownload",
    "WrittenLimit",
    "WrittenLook",
    "WrittenRecording",
    "WrittenTable",
]

FEWEST_POINTS = 4
"""Of a curve: what the common test conditions of MPEG and JVET take (JVET-T2010); fewer are no curve to interpolate."""
MOST_POINTS = 32
"""Of a curve: each is a run of every subject in every block."""
WRITTEN = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Of what a person writes. What is infinite or no number is written to a plan as nothing, and a resume would refuse its
own plan."""


class WrittenTable(BaseModel):
    """A table of a matrix file, which refuses keys that do not exist."""

    model_config = ConfigDict(**WRITTEN, frozen=True, use_attribute_docstrings=True)


class _LimitTable(Limit):
    model_config = WRITTEN


class _RecordingTable(OwnRecording):
    model_config = WRITTEN


# Records keep unknown fields of their files; what a person writes must not have any.
WrittenLimit = Annotated[_LimitTable, AfterValidator(lambda table: Limit(**dict(table)))]
WrittenLook = Annotated[ExpectedLook, AfterValidator(without_unknown)]
WrittenRecording = Annotated[_RecordingTable, AfterValidator(lambda table: OwnRecording(**dict(table)))]


def _bitrate(value: object) -> object:
    """`2M` as bits a second; a number as it is."""
    return parse_bitrate(value) if isinstance(value, str) else value


class _CurveTable(WrittenTable):
    """Points of a curve: one of the three."""

    qp: list[Annotated[int, Field(ge=0, le=255)]] | None = None
    """Constant quantisers."""
    crf: list[Annotated[float, Field(ge=0, le=255)]] | None = None
    """Constant rate factors."""
    bitrate: list[Annotated[int, BeforeValidator(_bitrate), Field(ge=1000, le=10**9)]] | None = None
    """Bit rates in bits a second, or as text such as `2M`."""

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        given = [name for name in get_args(CurveParameter) if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of qp, crf and bitrate")
        values = getattr(self, given[0])
        if not FEWEST_POINTS <= len(values) <= MOST_POINTS:
            raise ValueError(f"a curve needs {FEWEST_POINTS} to {MOST_POINTS} points, got {len(values)} of {given[0]}")
        if repeated := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{given[0]} has {shown(repeated[0])} twice")
        return self


def _curve(table: _CurveTable) -> Curve:
    parameter, values = next((name, values) for name in get_args(CurveParameter) if (values := getattr(table, name)))
    return Curve(parameter=parameter, values=tuple(sorted(map(float, values))))


class _DownloadTable(Download):
    """A file that is fetched before the first run and kept in the user's cache."""

    model_config = WRITTEN

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+/\S+$", max_length=2000)]
    """Where it is, `https` or `http`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
    """SHA-256 of its bytes in hexadecimal."""


WrittenCurve = Annotated[_CurveTable, AfterValidator(_curve)]
WrittenDownload = Annotated[_DownloadTable, AfterValidator(lambda table: Download(**dict(table)))]
