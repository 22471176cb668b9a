"""What may be asked of an output in a look of its own, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from capbench.errors import InputError
from capbench.results.appearance.effect_finding import MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedZoom
from capbench.results.appearance.expected_look import ExpectedBackground, ExpectedLook, ExpectedShadow
from capbench.results.appearance.read_look import load_look


def test_what_is_not_named_is_not_asked_for() -> None:
    look = ExpectedLook()

    assert (look.padding, look.rounding_px, look.shadow, look.zoom, look.caption) == (0.0, 0.0, False, (), ())
    assert (look.cursor, look.camera, look.motion_blur, look.background) == (False, False, False, "any")


def test_a_file_of_every_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "look.toml"
    file.write_text(
        """
        padding = 0.06
        rounding_px = "any"
        shadow = { opacity = 0.4 }
        background = "gradient"
        cursor = true
        camera = { position = "bottom-right", size = 0.2 }
        motion_blur = { shutter_degrees = 180 }
        caption = [{ start_s = 1, end_s = 2 }]

        [[zoom]]
        start_s = 1
        end_s = 3
        amount = 1.5
        """,
        encoding="utf-8",
    )

    look = load_look(file)

    assert look.shadow == ExpectedShadow(opacity=0.4)
    assert look.background == ExpectedBackground(kind="gradient")
    assert look.zoom == (ExpectedZoom(start_s=1, end_s=3, amount=1.5),)
    assert look.rounding_px == "any"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("paddin = 0.1", "'paddin'; did you mean 'padding'?"),
        ("shadow = { opacit = 1 }", "shadow.opacit"),
        ("zoom = [{ start_s = 1, end_s = 0.5 }]", "zoom[0]: end_s 0.5 must be after start_s 1"),
        ("zoom = [{ start_s = 1, end_s = 3 }, { start_s = 2, end_s = 4 }]", "zooms overlap"),
        ("padding = 0.7", "padding"),
        ("padding = nan", "padding"),
        ("background = 'wallpaper'", "background.kind"),
        ("crop = [0.5, 0, 0.5, 0]", "leaves nothing"),
        ("caption = [{ start_s = 2, end_s = 1 }]", "caption[0]"),
        ("cursor = { path = [[1, 0.5, 0.5], [0, 0.5, 0.5]] }", "path must run forward in time"),
        ("padding = ", "look.toml"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "look.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(InputError) as caught:
        load_look(file)

    assert str(file) in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_has_a_bounded_number_of_zooms() -> None:
    zooms = [{"start_s": n, "end_s": n + 0.5} for n in range(1001)]

    with pytest.raises(ValidationError):
        ExpectedLook.model_validate({"zoom": zooms})


def test_a_parameter_is_wrong_only_if_it_was_asked_measured_and_has_a_tolerance() -> None:
    right = MeasuredParameter(name="x", asked=1.0, measured=1.5, tolerance=0.5)

    assert not right.is_wrong
    assert right.model_copy(update={"measured": 1.51}).is_wrong
    assert right.model_copy(update={"measured": 2.0, "tolerance": 0.0}).is_wrong
    for missing in ("asked", "measured", "tolerance"):
        assert not right.model_copy(update={"measured": 9.0} | {missing: None}).is_wrong
