"""The oracle is worked out a second time: it reads the pipeline's scene models and calls nothing of the pipeline's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pydantic import BaseModel

import capbench.pipeline.scene as models
import capbench.quality.oracle
from capbench.pipeline.scene import Caption, Mask, Scene
from capbench.pipeline.scene.scene_values import TimeSpan
from capbench.quality.oracle.overlay_layers import caption_corner
from capbench.quality.oracle.placement import place_recording
from capbench.quality.oracle.scene_timing import cursor_place, presence_at

ORACLE = Path(capbench.quality.oracle.__file__).parent
SCENE_MODELS = "capbench.pipeline.scene"


def _imports(module: Path) -> set[tuple[str, str]]:
    """Module and name of everything that is imported, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: relative imports hide what is imported"
            found |= {(node.module or "", name.name) for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {(name.name, "") for name in node.names}
    return found


@pytest.mark.parametrize("module", sorted(ORACLE.glob("*.py")), ids=lambda path: path.stem)
def test_the_oracle_imports_nothing_of_the_pipeline_but_scene_models(module: Path) -> None:
    for source, name in _imports(module):
        if source.startswith("capbench.pipeline"):
            assert source == SCENE_MODELS
            assert issubclass(getattr(models, name), (BaseModel, tuple)), f"{module.name} imports {name}"


def _own_methods(model: type) -> list[str]:
    return [
        name
        for name, value in vars(model).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property)) and name != "model_config"
    ]


def test_the_oracle_calls_no_method_of_the_scene_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even through something else: what the models compute is the pipeline's arithmetic."""

    def refuse(*_arguments: object) -> float:
        raise AssertionError("the oracle asked the pipeline")

    scene = Scene.model_validate(
        {
            "mask": [{"kind": "blur", "rectangle": (0, 0, 0.5, 0.5), "fade_s": 0.5}],
            "zoom": [{"start_s": 0, "end_s": 4}],
            "cursor": {"path": [(0, 0.1, 0.1), (1, 0.5, 0.5)]},
            "caption": [{"text": "a", "end_s": 2, "fade_s": 1}],
        }
    )
    calculating = [
        (model, name)
        for model in [TimeSpan, *(getattr(models, name) for name in models.__all__)]
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name in _own_methods(model)
    ]
    assert (TimeSpan, "presence") in calculating
    for model, name in calculating:
        monkeypatch.setattr(model, name, refuse)

    assert presence_at(scene.mask[0], 0.25) == 0.5
    assert scene.cursor is not None
    assert cursor_place(scene.cursor, 0.5) == pytest.approx((0.3, 0.3))
    place = place_recording(scene.display, scene.zoom, shown=(160.0, 90.0), canvas=(160, 90), time_s=2.0)
    assert place.amount == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("time_s", "presence"),
    [(0.9, 0), (1.0, 0), (1.1, 0.25), (1.4, 1), (2.0, 1), (2.8, 0.5), (2.9, 0.25), (3.0, 0), (9.0, 0)],
)
def test_a_layer_fades_in_and_out_in_straight_lines(time_s: float, presence: float) -> None:
    caption = Caption(text="a", start_s=1, end_s=3, fade_s=0.4)

    assert presence_at(caption, time_s) == pytest.approx(presence)


def test_a_layer_without_fade_or_end_is_wholly_there_from_its_first_moment() -> None:
    mask = Mask(kind="blur", rectangle=(0, 0, 1, 1), start_s=1)

    assert [presence_at(mask, time_s) for time_s in (0.99, 1.0, 1e6)] == [0, 1, 1]


def test_two_fades_that_meet_never_reach_the_top() -> None:
    assert presence_at(Caption(text="a", end_s=1, fade_s=1), 0.5) == 0.5


@pytest.mark.parametrize(
    ("position", "corner"), [((0.5, 0.5), (140, 80)), ((0.0, 0.0), (0, 0)), ((1.0, 1.0), (280, 160))]
)
def test_a_captions_plate_is_centred_on_its_position_and_kept_inside(
    position: tuple[float, float], corner: tuple[int, int]
) -> None:
    assert caption_corner(Caption(text="a", position=position), (40, 20), (320, 180)) == corner
