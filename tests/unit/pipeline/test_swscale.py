"""swscale's conversion against the oracle."""

from __future__ import annotations

import av
import numpy as np
import pytest

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.conversion.swscale import SwscaleToNv12
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.quality.oracle import compare_planes, rgb_to_nv12

WIDTH, HEIGHT = 128, 64


@pytest.mark.parametrize("other", [False, True], ids=["its own siting", "the other siting"])
@pytest.mark.parametrize("siting", ChromaSiting)
def test_chroma_lies_where_it_was_told_to(siting: ChromaSiting, other: bool) -> None:
    """Colours that change evenly from column to column: half a pixel is 4 steps of R'G'B', which the codes show."""
    across = np.broadcast_to(np.arange(WIDTH), (HEIGHT, WIDTH))
    red, blue = np.clip(8 * (across - 40), 0, 255), np.clip(255 - 8 * (across - 60), 0, 255)
    picture = np.dstack([red, np.full_like(across, 80), blue, np.full_like(across, 255)]).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgba")
    frame.pts = 0

    nv12 = SwscaleToNv12(WIDTH, HEIGHT, ColourSpec(siting=siting), threads=1).convert(frame)

    chroma = plane_samples(nv12.planes[1], 2).reshape(HEIGHT // 2, WIDTH // 2, 2)
    got = plane_samples(nv12.planes[0]), chroma
    wanted = next(one for one in ChromaSiting if (one is siting) is not other)
    agreement = compare_planes(got, rgb_to_nv12(picture[..., :3], ColourSpec(siting=wanted)))
    assert agreement.largest_error_codes == (3 if other else 0)
