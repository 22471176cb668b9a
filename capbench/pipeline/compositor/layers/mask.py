"""Masks: where they are, and the grids of cells that hidden parts are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.errors import SceneError
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle, clamped_radius, common_bounds
from capbench.pipeline.compositor.layer_buffer import FrameView, LayerState
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Mask

__all__ = ["CellGrid", "MaskLayer", "blur_grid", "pixelate_grid"]

MARGIN_CELLS = 6
"""`REACH_CELLS` of average_cells.wgsl and one for interpolation."""
MOST_SAMPLES = 16
"""Samples across a cell. A sample reads 2 x 2 texels: up to 32 pixels across, a mean misses none."""
MOST_TEXELS = 8192
_FORMAT = "rgba16float"
"""Two roundings to 8 bits, and interpolation between them, would be seen in a blur."""
_KIND = {"pixelate": 0, "blur": 1, "highlight": 2}


@dataclass(frozen=True, slots=True)
class CellGrid:
    """Squares of the recording at rest, in canvas pixels from the mask's top left corner."""

    cell_px: float
    margin: int
    """Columns and rows outside the mask on each side."""
    columns: int
    rows: int
    samples: int
    sigma_cells: float
    """Standard deviation of the Gaussian over the cells; 0 for none."""


def pixelate_grid(rectangle: Rectangle, cell_px: float) -> CellGrid:
    """Squares of `cell_px`; the last ones reach beyond the mask, which hides that."""
    columns, rows = math.ceil(rectangle.width / cell_px - 1e-6), math.ceil(rectangle.height / cell_px - 1e-6)
    return CellGrid(cell_px, 0, columns, rows, _samples(cell_px), 0.0)


def blur_grid(rectangle: Rectangle, sigma_px: float) -> CellGrid:
    """A grid fine enough that a Gaussian over its cells, interpolated, is a Gaussian of the recording.

    Variances add up: the mean over a cell of side k has k^2 / 12 (less 1 / samples^2 of it, being a sum of samples),
    linear interpolation between cells k^2 / 6, and the Gaussian over the cells supplies the rest. With k = 2/3 sigma
    what the grid aliases is below 0.1%.
    """
    cell_px = max(1.0, sigma_px * 2 / 3)
    samples = _samples(cell_px)
    rest = sigma_px**2 - cell_px**2 / 12 * (1 - 1 / samples**2) - cell_px**2 / 6
    return CellGrid(
        cell_px,
        MARGIN_CELLS,
        math.ceil(rectangle.width / cell_px) + 2 * MARGIN_CELLS,
        math.ceil(rectangle.height / cell_px) + 2 * MARGIN_CELLS,
        samples,
        # A canvas of few lines may ask for less blur than interpolation gives.
        math.sqrt(max(rest, 0.01)) / cell_px,
    )


def _samples(cell_px: float) -> int:
    return min(max(1, math.ceil(cell_px)), MOST_SAMPLES)


class MaskLayer:
    """The masks on the GPU. Grids lie one below the other in one texture."""

    def __init__(self, gpu: GpuContext, masks: Sequence[Mask], canvas: CanvasSize, resting: Rectangle) -> None:
        self._masks = masks
        self._unit_px = canvas.unit_px
        self._resting = resting
        self._grids = [_grid(mask, resting.part(*mask.rectangle), canvas.unit_px) for mask in masks]
        self._tops = [sum(grid.rows for grid in self._grids[:n] if grid) for n in range(len(masks))]
        width = max((grid.columns for grid in self._grids if grid), default=1)
        height = max(1, sum(grid.rows for grid in self._grids if grid))
        if max(width, height) > MOST_TEXELS:
            raise SceneError(
                f"the masks need {width} x {height} cells, at most {MOST_TEXELS} a side; raise strength_px"
            )
        usage = "STORAGE_BINDING|TEXTURE_BINDING"
        self.means = gpu.texture(width, height, _FORMAT, usage, "means of mask cells")
        """Each cell's mean."""
        blurs = any(mask.kind == "blur" for mask in masks)
        self.blurred = gpu.texture(*((width, height) if blurs else (1, 1)), _FORMAT, usage, "blurred mask cells")
        """The same, blurred."""
        self.has_grids = any(self._grids)
        """Whether `dispatches` ever names one."""
        self._frame = 0
        self._shown: list[int] = []

    def place(self, block: NDArray[np.void], view: FrameView) -> dict[str, LayerState]:
        """Write the frame's masks into a record of `LAYERS_DTYPE`."""
        self._frame += 1
        presence = {n: mask.presence(view.time_s) for n, mask in enumerate(self._masks)}
        self._shown = [number for number, opacity in presence.items() if opacity > 0]
        looks = {}
        block["mask_count"] = len(self._shown)
        for slot, number in enumerate(self._shown):
            mask, grid = self._masks[number], self._grids[number]
            rectangle = view.display.part(*mask.rectangle)
            record = block["masks"][0, slot : slot + 1]
            record["rectangle_px"] = rectangle.edges
            record["kind"] = _KIND[mask.kind]
            record["radius_px"] = clamped_radius(mask.rounding_px * self._unit_px * view.amount, rectangle)
            record["opacity"] = presence[number] * (mask.darkness if grid is None else 1.0)
            if grid is None:
                state: object = (rectangle.edges, presence[number], view.display.edges, view.displays)
                bounds = common_bounds([moment.display for moment in view.moments])
                looks[f"mask {number}"] = LayerState(state, bounds)
            else:
                self._place_grid(record, number, grid, rectangle, view.amount)
                bounds = common_bounds([moment.display.part(*mask.rectangle) for moment in view.moments])
                # The recording behind it is another in every frame.
                looks[f"mask {number}"] = LayerState(self._frame, bounds.grown(1))
        return looks

    def _place_grid(
        self, record: NDArray[np.void], number: int, grid: CellGrid, rectangle: Rectangle, amount: float
    ) -> None:
        cells_per_px = 1 / (grid.cell_px * amount)
        record["cell_from_px"] = (
            cells_per_px,
            cells_per_px,
            grid.margin - rectangle.left * cells_per_px,
            grid.margin - rectangle.top * cells_per_px,
        )
        resting = self._resting
        across, down = grid.cell_px / resting.width, grid.cell_px / resting.height
        left, top = self._masks[number].rectangle[:2]
        record["fraction_from_cell"] = (across, down, left - grid.margin * across, top - grid.margin * down)
        record["cells"] = (0, self._tops[number], grid.columns, grid.rows)
        record["samples"] = grid.samples
        record["sigma_cells"] = grid.sigma_cells

    def dispatches(self) -> list[tuple[str, tuple[int, int, int]]]:
        """Entry points of average_cells.wgsl that the frame needs, in order, with columns, rows and masks."""
        grids = [grid for number in self._shown if (grid := self._grids[number])]
        if not grids:
            return []
        cells = max(grid.columns for grid in grids), max(grid.rows for grid in grids), len(self._shown)
        blurs = any(self._masks[number].kind == "blur" for number in self._shown)
        return [("average_cells", cells), *([("blur_cells", cells)] if blurs else [])]


def _grid(mask: Mask, rectangle: Rectangle, unit_px: float) -> CellGrid | None:
    if mask.kind == "highlight":
        return None
    make = pixelate_grid if mask.kind == "pixelate" else blur_grid
    return make(rectangle, max(1.0, mask.strength_px * unit_px))
