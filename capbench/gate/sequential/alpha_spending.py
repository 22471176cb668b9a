"""When interim looks are made, and how much of the gate's error each may spend. Every interim look is recorded.

Looks share the error: each gets what the spending function adds since the one before (Lan and DeMets 1983, Biometrika
70, 659-663; their Pocock-like function, which leaves early looks enough to be of use with exact tests). The shares are
simply added up (Boole's inequality), so that the guarantee needs no joint distribution of the looks and the exact tests
stay what they are; a little power is lost to that. Because what was spent is on record, a run can be killed, resumed,
ended by its budget and resumed with more blocks, and the shares never add up to more than 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from capbench.gate.sequential.interim_looks import InterimLook

__all__ = ["DEFAULT_MAX_BLOCKS", "ending_look", "next_look", "planned_looks"]

DEFAULT_MAX_BLOCKS = 60
"""Where only a budget ends the run: 60 blocks show 3% over the margin even with 6% noise a block."""
_FIRST_LOOK = 5
"""Fewer blocks prove nothing but a blatant change, and five are enough for that."""
_SECOND_LOOK = 9
"""From here on the exact test can speak with the share that a look gets."""
_FIRST_SHARE = 0.1
"""Of the error, at most: the first look only stops a blatant change, which needs no more."""
_GROWTH = 1.35
"""Each look has about a third more blocks than the one before: rarer looks spend less, denser ones stop sooner."""
_KEPT = 0.1
"""Of what an ending could spend, for a run that is resumed after all. It costs the ending next to no power."""


def planned_looks(max_blocks: int) -> tuple[int, ...]:
    """Numbers of blocks after which to look; the last is `max_blocks`, and its neighbour is not too close to it."""
    looks = [_FIRST_LOOK]
    blocks = float(_SECOND_LOOK)
    while round(blocks * _GROWTH) < max_blocks:
        looks.append(round(blocks))
        blocks *= _GROWTH
    return (*(look for look in looks if look < max_blocks), max_blocks)


def next_look(taken: Sequence[InterimLook], *, blocks: int, max_blocks: int) -> InterimLook | None:
    """The look that is due now that there are `blocks` blocks; None between looks."""
    seen = taken[-1].blocks if taken else 0
    if blocks >= max_blocks:
        return ending_look(taken, blocks=blocks)
    if not any(seen < look <= blocks for look in planned_looks(max_blocks)):
        return None
    before, now = (_spent_by(count, max_blocks) for count in (seen, blocks))
    return InterimLook(blocks=blocks, share=_left(taken) * (now - before) / (1.0 - before))


def ending_look(taken: Sequence[InterimLook], *, blocks: int) -> InterimLook | None:
    """The look at a run that is over, with nearly all that is left; None where it was made, or there are no blocks.

    When a budget ends does not depend on what was measured.
    """
    if blocks == 0 or (taken and taken[-1].ends and taken[-1].blocks >= blocks):
        return None
    return InterimLook(blocks=blocks, share=_left(taken) * (1.0 - _KEPT), ends=True)


def _left(taken: Sequence[InterimLook]) -> float:
    return max(0.0, 1.0 - sum(look.share for look in taken))


def _spent_by(blocks: int, max_blocks: int) -> float:
    """Share of the error that may be spent up to so many blocks, below `max_blocks`."""
    spent = math.log1p((math.e - 1) * blocks / max_blocks)
    return min(spent, _FIRST_SHARE) if blocks < _SECOND_LOOK else spent
