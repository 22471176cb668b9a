"""Whether left and right go together as they did, by what a coder keeps of both.

Above 3.5 kHz coders join channels at low bit rates, or make noise of their own for each.
"""

from __future__ import annotations

from capbench.quality.checks import limits
from capbench.quality.metrics.sound_spectra import KeptBand

__all__ = ["differed_where_kept", "is_wide_where_kept"]


def differed_where_kept(kept: KeptBand | None) -> bool:
    """Whether the reference's sides differ as much in what the output kept; False where that is not known.

    A tone above its band may hide that, and above 3.5 kHz a noise for each side that takes the place of a common one.
    """
    if kept is None:
        return False
    if kept.output_side_share <= limits.AUDIO_SIDE_ADDED + kept.reference_side_share:
        return True
    return (
        kept.low_share >= limits.AUDIO_LOW_SHARE
        and kept.low_output_side_share <= limits.AUDIO_SIDE_ADDED + kept.low_reference_side_share
    )


def is_wide_where_kept(kept: KeptBand | None) -> bool:
    """Whether the output's sides differ up to 3.5 kHz as the reference's do; False where that is not known.

    Of loud hiss above it a coder may make one noise for both.
    """
    return (
        kept is not None
        and kept.low_share >= limits.AUDIO_LOW_SHARE
        and kept.low_reference_side_share >= limits.AUDIO_SIDE_SHARE
        and kept.low_output_side_share >= limits.AUDIO_SIDE_KEPT * min(1.0, kept.low_reference_side_share)
    )
