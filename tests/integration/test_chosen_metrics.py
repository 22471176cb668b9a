"""Which metrics a validation measures: by name, by other packages, and where a machine cannot."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.errors import InputError, UnavailableError
from capbench.quality.metrics import open_meters
from capbench.quality.metrics.libvmaf.find_vmaf import find_tool
from capbench.quality.metrics.libvmaf.vmaf_runs import VmafTool
from capbench.quality.validate import validate
from capbench.results import ValidationReport
from capbench.results.metric_registry import (
    Direction,
    MeasuredFrames,
    OfferedMetric,
    QualityMetric,
    choose_metrics,
    columns_of,
    installed_metrics,
    offered_metrics,
)

FRAMES = 8
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example_metric" / "ssimulacra2_metric.py"


def _write(path: Path, crf: int) -> Path:
    rows, columns = np.mgrid[0:96, 0:128]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(FRAMES):
            luma = ((columns + 3 * number) ^ rows).astype(np.uint8)
            picture = np.stack([luma, np.flipud(luma), luma // 2], axis=-1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of 128x96 and a coarser one of the same pictures."""
    folder = tmp_path_factory.mktemp("clips")
    return _write(folder / "fine.mp4", 5), _write(folder / "coarse.mp4", 35)


def _verb(*arguments: str | Path) -> tuple[int, str, str]:
    ended = CliRunner().invoke(command_line.app, ["validate", *map(str, arguments)], env={"COLUMNS": "200"})
    return ended.exit_code, ended.stdout, ended.stderr


def test_only_the_metrics_that_are_named_are_reported(clips: tuple[Path, Path]) -> None:
    _, out, _ = _verb(*clips, "--metrics", "ssim,xpsnr", "--json", "-")
    report = ValidationReport.model_validate_json(out)

    columns = columns_of(choose_metrics(["ssim", "xpsnr"]))
    assert tuple(report.metrics) == tuple(report.series) == columns
    assert report.unmeasured == {}
    assert report.frames_compared == FRAMES


@pytest.mark.parametrize(("name", "nearest"), [("vmfa", "vmaf"), ("psnr,cambie", "cambi")])
def test_an_unknown_metric_ends_with_2_and_the_nearest_name(clips: tuple[Path, Path], name: str, nearest: str) -> None:
    code, out, err = _verb(*clips, "--metrics", name)

    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert f"nearest: {nearest}" in err


def test_without_files_the_verb_says_what_it_wants() -> None:
    code, _, err = _verb()

    assert code == 2
    assert "REFERENCE OUTPUT" in err


def test_the_list_of_metrics_for_people_and_programs() -> None:
    code, table, _ = _verb("--list-metrics")
    listed = json.loads(_verb("--list-metrics", "--json", "-")[1])["metrics"]

    assert code == 0
    assert [entry["name"] for entry in listed][:2] == ["psnr", "ssim"]
    by_name = {entry["name"]: entry for entry in listed}
    assert all(name in table for name in by_name)
    assert (by_name["cambi"]["direction"], by_name["cambi"]["largest"]) == ("lower", None)
    assert (by_name["vmaf"]["unit"], by_name["psnr_hvs"]["unit"]) == ("", "dB")
    assert by_name["psnr"]["unavailable"] is None


def test_by_default_vmaf_is_measured_where_an_ffmpeg_here_has_it(clips: tuple[Path, Path]) -> None:
    try:
        find_tool()
    except UnavailableError as error:
        if sys.platform == "linux" and importlib.util.find_spec("imageio_ffmpeg"):
            raise  # the extra promises one
        pytest.skip(str(error))

    report = validate(*clips)

    assert tuple(report.metrics) == columns_of(choose_metrics(None))
    assert report.unmeasured == {}
    assert report.metrics["vmaf"].frames == FRAMES
    assert 0 < (report.metrics["vmaf"].mean or 0) <= 100
    assert report.how_measured["vmaf"].startswith("model vmaf_v0.6.1, by ")


def _nobody() -> tuple[VmafTool, tuple[str, ...]]:
    raise UnavailableError("nobody has it")


def test_what_this_machine_cannot_compute_has_its_reason(
    clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_meters, "find_tool", _nobody)

    report = validate(*clips, metrics=["vmaf", "psnr"])

    assert tuple(report.metrics) == ("psnr_y", "psnr_cb", "psnr_cr")
    assert report.unmeasured == {"vmaf": "nobody has it"}


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, object], None]]:
    """Installs objects as entry points of the group `capbench.metrics`."""
    module = ModuleType("offering")
    monkeypatch.setitem(sys.modules, "offering", module)
    names: list[str] = []
    monkeypatch.setattr(
        installed_metrics, "entry_points", lambda group: [EntryPoint(n, f"offering:{n}", group) for n in names]
    )
    offered_metrics.cache_clear()

    def add(name: str, thing: object) -> None:
        setattr(module, name, thing)
        names.append(name)

    yield add
    offered_metrics.cache_clear()


def _metric(name: str, measure: Callable[..., float], frames: MeasuredFrames) -> OfferedMetric:
    about = QualityMetric(
        name=name,
        label=name,
        direction=Direction.LOWER,
        source="a test",
        computed_by="a test",
        range=(0.0, math.inf),
        frames=frames,
    )
    return OfferedMetric(about, measure)


def _mean_error(output: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    assert output.shape == reference.shape == (96, 128, 3)
    return float(np.abs(output.astype(int) - reference).mean())


@pytest.mark.parametrize(
    ("frames", "count"), [(MeasuredFrames.EVERY, FRAMES), (MeasuredFrames.SAMPLED, FRAMES), (MeasuredFrames.WORST, 3)]
)
def test_a_metric_of_another_package_is_measured_on_the_frames_that_it_asks_for(
    clips: tuple[Path, Path], offer: Callable[[str, object], None], frames: MeasuredFrames, count: int
) -> None:
    offer("mean_error", _metric("mean_error", _mean_error, frames))

    report = validate(*clips, metrics=["psnr", "mean_error"])
    itself = validate(clips[0], clips[0], metrics=["mean_error"])

    found = report.metrics["mean_error"]
    assert found.frames == count
    assert (found.worst or 0) == max(value or 0 for value in report.series["mean_error"])
    assert 1 < (found.mean or 0) < 40
    assert itself.metrics["mean_error"].mean == 0
    assert "a test" in report.how_measured["mean_error"]


def test_the_worst_frames_are_those_of_the_lowest_psnr(
    clips: tuple[Path, Path], offer: Callable[[str, object], None]
) -> None:
    offer("mean_error", _metric("mean_error", _mean_error, MeasuredFrames.WORST))

    report = validate(*clips, metrics=["psnr", "mean_error"])

    by_psnr = sorted(range(FRAMES), key=lambda frame: report.series["psnr_y"][frame] or 0)
    measured = [frame for frame, value in enumerate(report.series["mean_error"]) if value is not None]
    assert measured == sorted(by_psnr[:3])


@pytest.mark.parametrize("frames", [MeasuredFrames.EVERY, MeasuredFrames.WORST])
def test_a_package_that_raises_loses_its_metric_and_nothing_else(
    clips: tuple[Path, Path], offer: Callable[[str, object], None], frames: MeasuredFrames
) -> None:
    def fails(*_: object) -> float:
        raise RuntimeError("no licence\nand more")

    offer("broken", _metric("broken", fails, frames))

    report = validate(*clips, metrics=["psnr", "broken"])

    assert report.unmeasured == {"broken": "a test failed: RuntimeError no licence"}
    assert report.metrics["psnr_y"].frames == FRAMES


def test_values_that_are_no_numbers_are_no_measurement(
    clips: tuple[Path, Path], offer: Callable[[str, object], None]
) -> None:
    values = iter([math.nan, math.inf, -math.inf, 2.0, 4.0, *[math.nan] * FRAMES])
    offer("odd", _metric("odd", lambda *_: next(values), MeasuredFrames.EVERY))

    report = validate(*clips, metrics=["odd"])

    assert report.series["odd"] == (None, None, 0.0, 2.0, 4.0, None, None, None)
    assert report.metrics["odd"].mean == 2.0
    assert "Infinity" not in report.model_dump_json()


def test_the_example_in_the_documentation_works(
    clips: tuple[Path, Path], offer: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package where it is installed; else with one that has its interface: two files in, one number out."""
    monkeypatch.syspath_prepend(str(EXAMPLE.parent))
    if "ssimulacra2" not in sys.modules:
        try:
            import_module("ssimulacra2")
        except ModuleNotFoundError:
            stand_in = ModuleType("ssimulacra2")
            stand_in.compute_ssimulacra2 = _like_ssimulacra2  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, "ssimulacra2", stand_in)
    offer("ssimulacra2", import_module("ssimulacra2_metric").SSIMULACRA2)

    report = validate(*clips, metrics=["ssimulacra2"])
    itself = validate(clips[0], clips[0], metrics=["ssimulacra2"])

    assert report.metrics["ssimulacra2"].frames == 3
    assert itself.metrics["ssimulacra2"].mean == 100.0
    assert (report.metrics["ssimulacra2"].mean or 100) < 95


def _like_ssimulacra2(reference: io.BytesIO, output: io.BytesIO) -> float:
    first, second = (np.array(Image.open(file).convert("RGB")).astype(int) for file in (reference, output))
    return 100.0 - float(np.abs(first - second).mean()) * 10


def test_the_list_names_an_entry_point_that_offers_none(offer: Callable[[str, object], None]) -> None:
    offer("number", 3)
    offer("mine", _metric("mine", _mean_error, MeasuredFrames.WORST))

    code, table, _ = _verb("--list-metrics")
    listed = json.loads(_verb("--list-metrics", "--json", "-")[1])["metrics"]

    assert code == 0
    assert "offering:number is no OfferedMetric" in table
    unavailable = {entry["name"]: entry["unavailable"] for entry in listed if entry["name"] in ("number", "mine")}
    assert unavailable == {"mine": None, "number": "offering:number is no OfferedMetric but of type int"}


def test_asking_for_a_metric_that_does_not_load_is_refused(
    clips: tuple[Path, Path], offer: Callable[[str, object], None]
) -> None:
    offer("number", 3)

    with pytest.raises(InputError, match="'number' cannot be used"):
        validate(*clips, metrics=["number"])
