"""Scene files: what is accepted, and where errors point."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from capbench.errors import SceneError
from capbench.pipeline.scene import (
    Background,
    Border,
    Camera,
    Caption,
    Cursor,
    Display,
    Mask,
    Scene,
    Shadow,
    ZoomSegment,
    load_scene,
    scene_names,
)
from capbench.resources import matrix_folder


def _written(folder: Path, text: str) -> Path:
    path = folder / "scene.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _error(folder: Path, text: str) -> str:
    with pytest.raises(SceneError) as caught:
        load_scene(_written(folder, text))
    return str(caught.value).removeprefix(f"{folder / 'scene.toml'}:")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[background]\ncolour = "red"', "2: background.colour: not a colour: 'red'; write #rrggbb"),
        ("[display]\npading = 0.1", "2: display.pading: unknown key"),
        ("\n[displays]\npadding = 0.1", "2: displays: unknown key"),
        (
            '[[caption]]\ntext = "a"\n\n[[caption]]\ntext = "b"\nsize_px = "big"',
            "6: caption[1].size_px: Input should be a valid number, unable to parse string as a number",
        ),
        (
            "[display.shadow]\nopacity = 1.5",
            "2: display.shadow.opacity: Input should be less than or equal to 1",
        ),
        (
            "[display]\ncrop = [0.5, 0, 0.5, 0]",
            "1: display: crop [0.5, 0.0, 0.5, 0.0] leaves nothing: opposite sides must add up to less than 1",
        ),
        (
            "[[zoom]]\nstart_s = 1\nend_s = 2\nease_in_s = 0.8",
            "1: zoom[0]: ease_in_s and ease_out_s take 1.4 s together, the segment lasts 1 s; shorten them",
        ),
        (
            "[[zoom]]\nstart_s = 1\nend_s = 3\n[[zoom]]\nstart_s = 2.5\nend_s = 5",
            " zoom segments overlap: one ends at 3 s, another starts at 2.5 s",
        ),
        (
            '[[mask]]\nkind = "smear"\nrectangle = [0, 0, 1, 1]',
            "2: mask[0].kind: Input should be 'pixelate', 'blur' or 'highlight'",
        ),
        (
            '[[mask]]\nkind = "blur"\nrectangle = [0.6, 0, 0.5, 1]',
            "1: mask[0]: rectangle [0.6, 0.0, 0.5, 1.0] reaches beyond the recording: left + width, top + height",
        ),
        (
            '[[mask]]\nkind = "blur"\nrectangle = [0, 0, 1, 1]\nstart_s = 2\nend_s = 2',
            "1: mask[0]: end_s 2 must be after start_s 2",
        ),
        (
            "[cursor]\npath = [[0, 0.5, 0.5], [0, 1, 1]]",
            "1: cursor: path must run forward in time: 0 s comes after 0 s",
        ),
        ("[background]\nblur_px = 8", "1: background: blur_px needs an image"),
        ("[background", " not TOML: "),
        ("[cursor]\npath = [[0, nan, 0.5]]", "2: cursor.path[0][1]: Input should be a finite number"),
    ],
)
def test_errors_point_at_the_line_and_the_key(tmp_path: Path, text: str, error: str) -> None:
    assert _error(tmp_path, text).startswith(error)


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    lines = _error(tmp_path, "[background]\nhue = 1\nsaturation = 2").splitlines()

    assert [line.rpartition("scene.toml:")[2].partition(";")[0] for line in lines] == [
        "2: background.hue: unknown key",
        "3: background.saturation: unknown key",
    ]


def test_a_missing_file_is_named_as_it_was_looked_for(tmp_path: Path) -> None:
    assert _error(tmp_path, '[camera]\nsource = "me.mp4"') == f"2: camera.source: no such file: {tmp_path / 'me.mp4'}"


def test_files_are_relative_to_the_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hills.png").write_bytes(b"")
    monkeypatch.chdir("/")

    assert (
        load_scene(_written(tmp_path, '[background]\nimage = "hills.png"')).background.image == tmp_path / "hills.png"
    )


def test_more_layers_at_once_than_the_shaders_hold_are_refused(tmp_path: Path) -> None:
    caption = '[[caption]]\ntext = "a"\n'

    assert "caption: 5 at the same time, at most 4" in _error(tmp_path, caption * 5)
    one_after_the_other = "".join(f"{caption}start_s = {n}\nend_s = {n + 1}\n" for n in range(9))
    assert len(load_scene(_written(tmp_path, one_after_the_other)).caption) == 9


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(SceneError, match=r"unknown scene 'nope'; available: bare, everything, .*studio"):
        load_scene("nope")


@pytest.mark.parametrize("name", scene_names())
def test_shipped_scenes_load_and_need_no_file_that_is_not_shipped(name: str) -> None:
    scene = load_scene(name)

    assert scene.draws_nothing == (name == "bare")
    assert "image =" not in (matrix_folder() / "scenes" / f"{name}.toml").read_text(encoding="utf-8")


def test_everything_has_every_layer() -> None:
    text = (matrix_folder() / "scenes" / "everything.toml").read_text(encoding="utf-8")

    # Motion blur is no layer but how those that move are drawn; the last rung of the ladder has it.
    assert set(tomllib.loads(text)) == set(Scene.model_fields) - {"motion_blur"}
    assert {mask.kind for mask in load_scene("everything").mask} == {"pixelate", "blur", "highlight"}


def test_a_camera_may_keep_its_own_aspect(tmp_path: Path) -> None:
    camera = load_scene(_written(tmp_path, '[camera]\naspect = "own"')).camera

    assert camera is not None
    assert camera.aspect is None
    assert "camera.aspect" in _error(tmp_path, '[camera]\naspect = "square"')


def test_the_documentation_names_every_key() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "scenes.md").read_text(encoding="utf-8")
    models: tuple[type[BaseModel], ...] = (
        Background,
        Display,
        Shadow,
        Border,
        ZoomSegment,
        Mask,
        Cursor,
        Camera,
        Caption,
    )

    assert [key for model in models for key in model.model_fields if f"`{key}`" not in text] == []
