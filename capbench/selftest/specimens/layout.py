"""Samples that are written to or read from the wrong place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.pictures import Planes
from capbench.selftest.remake import Remake, remake
from capbench.selftest.specimen import Pair, register_change, register_pair, source_clip
from capbench.selftest.specimens.colour import each

__all__: list[str] = []

Plane = NDArray[np.uint8]


def _restrided(plane: Plane, written: int, read: int) -> Plane:
    """A plane that was written with rows `written` bytes apart and read with rows `read` bytes apart."""
    height, width = plane.shape
    memory = np.zeros(height * max(written, read) + width, np.uint8)
    for row in range(height):
        memory[row * written : row * written + width] = plane[row]
    return np.stack([memory[row * read : row * read + width] for row in range(height)])


def _stride_off_by_4(planes: Planes) -> Planes:
    return Planes(*(_restrided(plane, plane.shape[1], plane.shape[1] + 4) for plane in planes.all))


def _padding_left_in(planes: Planes) -> Planes:
    return Planes(*(_restrided(plane, (plane.shape[1] + 255) // 256 * 256, plane.shape[1]) for plane in planes.all))


def _words_at_byte_offsets(planes: Planes) -> Planes:
    """Each invocation stores one byte as a u32 at its byte offset rounded down to a word: one byte in four survives."""
    chroma = planes.chroma
    flat = chroma.reshape(-1).copy()
    flat[np.arange(flat.size) % 4 != 0] = 0
    broken = flat.reshape(chroma.shape)
    return Planes(planes.luma, broken[..., 0], broken[..., 1])


def _chroma_row_lost(planes: Planes) -> Planes:
    cb, cr = planes.cb.copy(), planes.cr.copy()
    cb[-1], cr[-1] = 0, 0
    return Planes(planes.luma, cb, cr)


def _blank(rows: slice, columns: slice) -> Callable[[Planes], Planes]:
    def change(planes: Planes) -> Planes:
        copies = [plane.copy() for plane in planes.all]
        for plane, divisor in zip(copies, (1, 2, 2), strict=True):
            part = tuple(slice(None if edge.start is None else edge.start // divisor, None) for edge in (rows, columns))
            plane[part] = 0
        return Planes(*copies)

    return change


def _chroma_moved(planes: Planes) -> Planes:
    return Planes(planes.luma, np.roll(planes.cb, 1, axis=0), np.roll(planes.cr, 1, axis=0))


def _chroma_moved_across(planes: Planes) -> Planes:
    return Planes(planes.luma, np.roll(planes.cb, 1, axis=1), np.roll(planes.cr, 1, axis=1))


def _resized(plane: Plane, width: int, height: int) -> Plane:
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))


def _from_half_size(planes: Planes) -> Planes:
    out = []
    for plane in planes.all:
        height, width = plane.shape
        out.append(_resized(_resized(plane, width // 2, height // 2), width, height))
    return Planes(*out)


def _half_pixel_off(planes: Planes) -> Planes:
    """A texture sampled at the corner of a pixel instead of its middle."""
    moved = []
    for plane in planes.all:
        wide = plane.astype(np.uint16)
        moved.append(((wide + np.roll(wide, 1, axis=1) + 1) // 2).astype(np.uint8))
    return Planes(*moved)


_EVERYWHERE = ["picture.same", "picture.local", "picture.quality"]

register_change(
    "stride-off-by-4", "layout", "rows are read 4 bytes too far apart",
    caught_by=_EVERYWHERE, change=lambda: Remake(shots=each(_stride_off_by_4)),
)  # fmt: skip
register_change(
    "padding-left-in", "layout", "rows padded to 256 bytes are read as if they were tight",
    caught_by=_EVERYWHERE, change=lambda: Remake(shots=each(_padding_left_in)),
)  # fmt: skip
register_change(
    "u32-at-byte-offsets", "layout", "a shader stores u32 words at byte offsets: three chroma bytes of four are zero",
    caught_by=["colour.meaning", "frames.green", "picture.local"],
    change=lambda: Remake(shots=each(_words_at_byte_offsets)),
)  # fmt: skip
register_change(
    "odd-chroma-row", "layout", "with a height of 362 the last of 181 chroma rows is not written",
    caught_by=["picture.edges"], change=lambda: Remake(shots=each(_chroma_row_lost)), height=362,
)  # fmt: skip
register_change(
    "two-rows-lost", "layout", "the picture is two rows lower than it should be",
    caught_by=["picture.size"],
    change=lambda: Remake(shots=each(lambda planes: planes.cropped(planes.luma.shape[1], planes.luma.shape[0] - 2))),
)  # fmt: skip
register_change(
    "bottom-not-converted", "layout", "the dispatch is rounded down: the last 4 rows stay zero",
    caught_by=["picture.edges"], change=lambda: Remake(shots=each(_blank(slice(-4, None), slice(None)))),
)  # fmt: skip
register_change(
    "right-not-converted", "layout", "the dispatch is rounded down: the last 4 columns stay zero",
    caught_by=["picture.edges"], change=lambda: Remake(shots=each(_blank(slice(None), slice(-4, None)))),
)  # fmt: skip
register_change(
    "chroma-plane-offset", "layout", "the chroma plane starts one row too late",
    caught_by=["colour.siting"], change=lambda: Remake(shots=each(_chroma_moved)),
)  # fmt: skip
register_change(
    "chroma-column-offset", "layout", "the chroma plane starts one sample too late",
    caught_by=["colour.siting"], change=lambda: Remake(shots=each(_chroma_moved_across)),
)  # fmt: skip
register_change(
    "upscaled", "layout", "the picture was rendered at half size and enlarged",
    caught_by=["picture.sharpness"], change=lambda: Remake(shots=each(_from_half_size)),
)  # fmt: skip
register_change(
    "half-pixel-off", "layout", "the texture is sampled half a pixel to the left",
    caught_by=["picture.place"], change=lambda: Remake(shots=each(_half_pixel_off)),
)  # fmt: skip
register_change(
    "upside-down", "layout", "the y axis of the render target points the other way",
    caught_by=["picture.orientation"],
    change=lambda: Remake(shots=each(lambda planes: Planes(*(plane[::-1] for plane in planes.all)))),
)  # fmt: skip


def _rotated(folder: Path, degrees: int) -> Pair:
    reference = remake(source_clip(), folder / f"rotated-{degrees}.mp4", Remake(rotation_degrees=degrees))
    return Pair(reference, remake(reference, folder / f"rotation-{degrees}-ignored.mp4", Remake()))


@register_pair(
    "rotation-ignored", "layout", "the source's display rotation of 90° is ignored", caught_by=["picture.size"]
)
def _quarter_turn(folder: Path) -> Pair:
    return _rotated(folder, 90)


@register_pair(
    "half-turn-ignored", "layout", "the source's display rotation of 180° is ignored", caught_by=["picture.orientation"]
)
def _half_turn(folder: Path) -> Pair:
    return _rotated(folder, 180)
