"""Pictures from strangers in a scene or as a source: one line, exit 2, nothing left behind; EXIF is no trouble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capbench.cli.app import run_app
from capbench.pipeline.scene import load_scene
from capbench.recordings import RecordingSpec, make_recording
from tests.hostile_pictures import png

LAYERS = {
    "background": '[display]\npadding = 0.1\n[background]\nimage = "{picture}"\n',
    "cursor": '[cursor]\npath = [[0, 0.5, 0.5]]\nsize_px = 400\nimage = "{picture}"\n',
    "camera": '[camera]\nsource = "{picture}"\n',
}
HOSTILE = [
    ("cursor", "wide.png"),
    *((layer, name) for layer in LAYERS for name in ("bomb.png", "cut.png", "cut.jpg", "text.png")),
]


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("verb", 160, 90, 10, 1))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with each kind."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    png(folder / "bomb.png", 100_000, 100_000, rows=0)
    png(folder / "wide.png", 60_000, 1)
    png(folder / "cut.png", 640, 480, keep_bytes=80)
    (folder / "text.png").write_text("Dear diary,\n" * 100)
    noise = np.random.default_rng(4).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(folder / "camera.jpg", exif=exif)
    whole = (folder / "camera.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def export(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["capbench", "export", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest's own handlers stay
    return run_app()


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("hostile", HOSTILE, ids="-".join)
def test_a_hostile_image_in_a_scene_is_one_line(
    recording: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hostile: tuple[str, str],
) -> None:
    layer, name = hostile
    scene = pictures / "scene.toml"
    scene.write_text(LAYERS[layer].format(picture=name))
    before = sorted(pictures.iterdir())

    code = export(monkeypatch, recording, pictures / "out.mp4", "--scene", scene)

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert name in line
    assert sorted(pictures.iterdir()) == before


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("layer", ["background", "camera"])
def test_a_wide_image_is_cropped(recording: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    scene = pictures / "scene.toml"
    scene.write_text(LAYERS[layer].format(picture="wide.png"))

    assert export(monkeypatch, recording, pictures / "out.mp4", "--scene", scene) == 0


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("layer", LAYERS)
def test_an_image_with_exif_is_drawn(
    recording: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    scene = pictures / "scene.toml"
    scene.write_text(LAYERS[layer].format(picture="camera.jpg"))

    assert export(monkeypatch, recording, pictures / "out.mp4", "--scene", scene) == 0


@pytest.mark.parametrize("name", ["bomb.png", "cut.png", "text.png", "wide.png"])
def test_a_hostile_picture_as_a_source_is_one_line(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code = export(monkeypatch, pictures / name, pictures / "out.mp4")

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert name in line or "the output would be 60000x2" in line
    assert not (pictures / "out.mp4").exists()


def test_the_case_that_was_sent_in(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile" / "cursor-wide.toml"
    if not scene.is_file():
        pytest.skip(f"cases are absent: no file {scene}")
    assert load_scene(scene).cursor is not None

    code = export(monkeypatch, recording, tmp_path / "out.mp4", "--scene", scene)

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert "wide.png is 60000x1" in line
