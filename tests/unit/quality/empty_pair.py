"""A sampled pair of which nothing was measured, for tests that look at one figure of it."""

from __future__ import annotations

from capbench.quality.measurements import SampledPair

__all__ = ["EMPTY_PAIR"]

EMPTY_PAIR = SampledPair(
    output_frame=0,
    ssim=(None, None, None),
    bias_codes=(0.0, 0.0, 0.0),
    luma_shift_px=None,
    luma_shift_error_px=None,
    chroma_shift_px=None,
    chroma_shift_error_px=None,
    planes_apart_px=None,
    planes_apart_error_px=None,
    sharpness=None,
    detail_loss=None,
    turns={},
    gradient_codes=0,
    deep_step_codes=None,
    uneven_cells=(0, 0),
)
