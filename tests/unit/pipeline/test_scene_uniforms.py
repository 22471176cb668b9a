"""Where the shader looks for chroma: each sample exactly where the file says that it lies."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.scene_uniforms import picture_uniforms
from tests.unit.pipeline.test_geometry import source


@pytest.mark.parametrize("siting", ChromaSiting)
@pytest.mark.parametrize("down", [0.0, -0.5, 0.5])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_a_sample_of_chroma_is_found_where_it_lies(size: tuple[int, int], siting: ChromaSiting, down: float) -> None:
    """After a quarter turn, chroma on the upper row would be half a pixel aside."""
    shown = replace(source(*size, Fraction(1)), colour=ColourSpec(siting=siting, siting_down=down))

    block = picture_uniforms(shown, (0, 0, 0, 0), chroma_is_interleaved=False)

    scale_x, scale_y, offset_x, offset_y = block["chroma_from_luma"][0].tolist()
    planes = shown.planes
    # The sample of column 5 and row 7, in luma samples from the corner of the first one.
    x, y = 2 * 5 + (0.5 if siting is ChromaSiting.LEFT else 1.0), 2 * 7 + 1 + down
    assert x / planes.width * scale_x + offset_x == pytest.approx(5.5 / planes.chroma_width, abs=1e-6)
    assert y / planes.height * scale_y + offset_y == pytest.approx(7.5 / planes.chroma_height, abs=1e-6)
