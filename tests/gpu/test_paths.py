"""Every conversion path makes the same film, and says what it moved."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.errors import AdapterError, InputError
from capbench.pipeline.conversion.registry import path_factory, path_names
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import export, floor_export
from capbench.pipeline.job import PATH_VARIABLE, ExportOptions
from capbench.recordings import RecordingSpec, make_recording

pytestmark = pytest.mark.usefixtures("gpu")

FRAMES = 12
WIDTH, HEIGHT = 320, 180
LOSSLESS = EncoderSettings(qp=0, preset="ultrafast")
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example_path" / "posterise.py"


@pytest.fixture(scope="module")
def recording() -> Path:
    """A short synthetic recording with sound."""
    spec = RecordingSpec(name="paths", width=WIDTH, height=HEIGHT, fps=30, duration_s=FRAMES / 30)
    return make_recording(spec)


def luma_of(path: Path) -> list[NDArray[np.int16]]:
    """Luma of every frame."""
    with av.open(str(path)) as container:
        return [plane_samples(frame.planes[0]).astype(np.int16) for frame in container.decode(video=0)]


def exported(recording: Path, folder: Path, path: str | None, **changes: Any) -> tuple[Any, Path]:
    output = folder / f"{path}.mp4"
    return export(recording, output, ExportOptions(path=path, encoder=LOSSLESS, **changes)), output


@pytest.mark.parametrize("path", ["cpu", "gpu-fused", "gpu-late"])
@pytest.mark.parametrize("scene", ["bare", "studio"])
def test_paths_agree_on_the_picture(recording: Path, tmp_path: Path, path: str, scene: str) -> None:
    """Luma has no siting; one code, because swscale rounds in fixed point and the others in floating point."""
    _, got = exported(recording, tmp_path, path, scene=scene)
    _, want = exported(recording, tmp_path, "gpu", scene=scene)

    got_frames, want_frames = luma_of(got), luma_of(want)

    assert len(got_frames) == len(want_frames) == FRAMES
    assert max(int(np.abs(a - b).max()) for a, b in zip(got_frames, want_frames, strict=True)) <= 1


@pytest.mark.parametrize(
    ("path", "bytes_a_pixel"), [("cpu", 4), ("gpu-late", 4), ("gpu", 1.5), ("gpu-fused", 1.5)], ids=str
)
def test_readback_is_counted_exactly(recording: Path, tmp_path: Path, path: str, bytes_a_pixel: float) -> None:
    report, _ = exported(recording, tmp_path, path)

    assert report.frames == FRAMES
    assert report.readback_bytes == FRAMES * WIDTH * HEIGHT * bytes_a_pixel
    assert report.upload_bytes == FRAMES * WIDTH * HEIGHT * 1.5


def test_nothing_to_draw_is_passed_through(recording: Path, tmp_path: Path) -> None:
    report, output = exported(recording, tmp_path, None)

    assert report.path_used == report.path_requested == "passthrough"
    assert report.readback_bytes is None
    assert "no GPU" in report.unmeasured["readback_bytes"]
    assert len(luma_of(output)) == FRAMES


@pytest.mark.parametrize("change", [{"scene": "studio"}, {"width": 160}, {"fps": Fraction(15)}], ids=str)
def test_something_to_do_takes_the_gpu(recording: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    report, _ = exported(recording, tmp_path, None, **change)

    assert report.path_used == "gpu"


def test_passthrough_refuses_what_it_cannot_do(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the scene draws something"):
        exported(recording, tmp_path, "passthrough", scene="studio")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "path"), [("0", "cpu"), ("1", "gpu")])
def test_the_variable_chooses(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, path: str
) -> None:
    monkeypatch.setenv(PATH_VARIABLE, value)

    assert exported(recording, tmp_path, None)[0].path_used == path


def test_the_option_wins_over_the_variable(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "0")

    assert exported(recording, tmp_path, "gpu")[0].path_used == "gpu"


def test_a_wrong_variable_is_named(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "yes")

    with pytest.raises(InputError, match=f"{PATH_VARIABLE} must be 0 or 1, got 'yes'"):
        exported(recording, tmp_path, None)


def test_gpu_that_cannot_start_falls_back_and_says_so(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AdapterError("no storage buffers")

    monkeypatch.setitem(sys.modules["capbench.pipeline.conversion.registry"]._BUILT_IN, "gpu", broken)

    report, output = exported(recording, tmp_path, "gpu")

    assert (report.path_requested, report.path_used) == ("gpu", "cpu")
    assert report.fallbacks == ("gpu could not start, used cpu: no storage buffers",)
    assert len(luma_of(output)) == FRAMES


@pytest.mark.skipif(sys.platform == "darwin", reason="elsewhere than macOS there is no such session")
def test_videotoolbox_is_listed_and_says_why_not(recording: Path, tmp_path: Path) -> None:
    assert "videotoolbox" in path_names()
    with pytest.raises(AdapterError, match="exists only on macOS"):
        exported(recording, tmp_path, "videotoolbox")


def test_floor_is_the_source_again(recording: Path, tmp_path: Path) -> None:
    report = floor_export(recording, tmp_path / "floor.mp4", ExportOptions(scene="studio", encoder=LOSSLESS))

    assert report.path_used == "floor"
    got, want = luma_of(tmp_path / "floor.mp4"), luma_of(recording)
    assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.fixture
def installed_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented example, found as pip would have left it."""
    site = tmp_path / "site"
    metadata = site / "posterise-1.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(EXAMPLE, site)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: posterise\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[capbench.paths]\nposterise = posterise:PosterisePath\n")
    monkeypatch.syspath_prepend(os.fspath(site))


@pytest.mark.usefixtures("installed_example")
def test_the_documented_third_party_path_runs(recording: Path, tmp_path: Path) -> None:
    report, output = exported(recording, tmp_path, "posterise")

    assert report.path_used == "posterise"
    levels = np.array([16, 89, 162, 235])  # four of 16..235
    for frame in luma_of(output):
        assert np.isin(frame, levels).all()


def test_the_example_is_as_short_as_promised() -> None:
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(code) <= 40
    assert importlib.util.spec_from_file_location("posterise", EXAMPLE) is not None


def test_an_unknown_path_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown path 'gpuu'; available: cpu, gpu"):
        path_factory("gpuu")
