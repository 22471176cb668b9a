"""The registry of metrics: what it says of each, how names are found, and what other packages may offer."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from capbench.errors import InputError
from capbench.results.metric_registry import (
    BUILT_IN_METRICS,
    Direction,
    OfferedMetric,
    QualityMetric,
    choose_metrics,
    columns_of,
    installed_metrics,
    known_metrics,
    metric_of,
    offered_metrics,
    require_metric,
)


def _names(metrics: tuple[QualityMetric, ...]) -> list[str]:
    return [metric.name for metric in metrics]


def test_no_name_or_column_stands_for_two_metrics() -> None:
    columns = columns_of(BUILT_IN_METRICS)

    assert len(set(columns)) == len(columns)
    assert len({metric.name for metric in BUILT_IN_METRICS}) == len(BUILT_IN_METRICS)


@pytest.mark.parametrize("metric", BUILT_IN_METRICS, ids=lambda metric: metric.name)
def test_every_metric_says_where_it_is_from_and_what_its_range_is(metric: QualityMetric) -> None:
    assert metric.label
    assert metric.source
    assert metric.computed_by
    assert metric.range[0] < metric.range[1]
    assert metric.best == (metric.range[1] if metric.higher_is_better else metric.range[0])
    assert all(metric_of(column) is metric for column in metric.columns)


def test_units_are_those_of_the_metrics() -> None:
    in_db = {metric.name for metric in BUILT_IN_METRICS if metric.unit == "dB"}

    assert in_db == {"psnr", "ffmpeg_psnr", "xpsnr", "psnr_hvs"}
    assert {metric.unit for metric in BUILT_IN_METRICS} == {"dB", ""}


def test_only_an_index_of_banding_improves_downwards() -> None:
    assert [metric.name for metric in BUILT_IN_METRICS if metric.direction is Direction.LOWER] == ["cambi"]


@pytest.mark.parametrize(
    ("column", "name", "label"),
    [
        ("psnr_y", "psnr", "PSNR Y"),
        ("quality.ffmpeg_ssim_cb.p1", "ffmpeg_ssim", "FFmpeg SSIM Cb"),
        ("quality.vmaf.mean", "vmaf", "VMAF"),
        ("vmaf_neg", "vmaf_neg", "VMAF NEG"),
        ("psnr_hvs", "psnr_hvs", "PSNR-HVS"),
    ],
)
def test_a_column_has_its_metric_and_its_label(column: str, name: str, label: str) -> None:
    found = require_metric(column)

    assert found.name == name
    assert found.column_label(column.removeprefix("quality.").partition(".")[0]) == label


@pytest.mark.parametrize("name", ["psnr_x", "wall_s", "", "ssimulacra", "quality."])
def test_what_is_no_metric_has_none(name: str) -> None:
    assert metric_of(name) is None


def test_the_default_is_what_every_machine_should_have_and_vmaf() -> None:
    assert _names(choose_metrics(None)) == [
        *("psnr", "ssim", "ffmpeg_psnr", "ffmpeg_ssim", "xpsnr"),
        *("vmaf", "vmaf_neg"),
    ]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["vmaf", "psnr"], ["psnr", "vmaf"]),
        (["psnr_cb", "psnr_y", "psnr"], ["psnr"]),
        (["VMAF-NEG", " cambi "], ["vmaf_neg", "cambi"]),
        (["default", "psnr-hvs"], [*_names(choose_metrics(None)), "psnr_hvs"]),
    ],
)
def test_metrics_are_chosen_by_name_in_the_order_of_the_registry(names: list[str], chosen: list[str]) -> None:
    assert _names(choose_metrics(names)) == chosen


@pytest.mark.parametrize(("name", "nearest"), [("vmfa", "vmaf"), ("pnsr", "psnr"), ("SSIMM", "ssim")])
def test_an_unknown_metric_is_refused_with_the_nearest_name(name: str, nearest: str) -> None:
    with pytest.raises(InputError, match=rf"{name}.*nearest: .*{nearest}"):
        choose_metrics(["psnr", name])


def test_a_name_that_is_near_to_nothing_is_refused_with_all_names() -> None:
    with pytest.raises(InputError, match=r"known: default, psnr, .*psnr_hvs"):
        choose_metrics(["zzzzzz"])


def test_choosing_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no metric"):
        choose_metrics([])


@pytest.mark.parametrize("name", ["", "Vmaf", "a.b", "a b", "quality.x", "x" * 60, "a*"])
def test_a_name_that_could_not_be_a_column_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        QualityMetric(name=name, label="X", direction=Direction.HIGHER, source="", computed_by="")


def _offer(name: str, **more: object) -> OfferedMetric:
    about = {"label": name.upper(), "direction": Direction.LOWER, "source": "a paper", "computed_by": "a package"}
    return OfferedMetric(QualityMetric(name=name, **{**about, **more}), lambda *_: 1.0)  # type: ignore[arg-type]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module whose attributes are installed as entry points of the group, each under its own name."""
    module = ModuleType("offering")
    monkeypatch.setitem(sys.modules, "offering", module)
    monkeypatch.setattr(
        installed_metrics,
        "entry_points",
        lambda group: [
            EntryPoint(name, f"offering:{name}", group) for name in [*vars(module), "gone"] if not name.startswith("_")
        ],
    )
    offered_metrics.cache_clear()
    yield module
    offered_metrics.cache_clear()


def test_a_package_offers_a_metric(offered: ModuleType) -> None:
    vars(offered)["mine"] = _offer("mine", unit="u", frames="worst")

    found = require_metric("quality.mine.p1")

    assert (found.name, found.unit, found.direction, found.best) == ("mine", "u", Direction.LOWER, -math.inf)
    assert found.package
    assert _names(known_metrics())[-1] == "mine"
    assert _names(choose_metrics(["mine", "psnr"])) == ["psnr", "mine"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("psnr", _offer("psnr"), "another metric"),
        ("psnr_y", _offer("psnr_y"), "another metric"),
        ("wall_s", _offer("wall_s"), "figure of this name"),
        ("alias", _offer("mine"), "calls itself 'mine'"),
        ("number", 3, "but of type int"),
        ("planar", _offer("planar", planes=("y",)), "each plane"),
        ("gone", None, "does not load: AttributeError"),
    ],
)
def test_an_entry_point_that_offers_no_metric_is_named_and_stops_nothing(
    offered: ModuleType, name: str, value: object, reason: str
) -> None:
    if value is not None:
        vars(offered)[name] = value

    usable, broken = offered_metrics()

    assert usable == ()
    assert any(each.name == name and reason in each.reason for each in broken)
    assert _names(choose_metrics(["psnr"])) == ["psnr"]


def test_asking_for_a_broken_metric_says_why_it_cannot_be_used(offered: ModuleType) -> None:
    vars(offered)["number"] = 3

    with pytest.raises(InputError, match=r"'number' cannot be used: offering:number is no OfferedMetric"):
        choose_metrics(["number"])
