"""Single frames of a scene as pictures, and a contact sheet: `python -m capbench.pipeline.contact_sheet --help`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from capbench.pipeline.compositor.geometry import canvas_size
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.gpu.device import GpuContext, open_device
from capbench.pipeline.gpu.upload_ring import ROW_ALIGNMENT_BYTES, PlaneUploader
from capbench.pipeline.scene import Scene, load_scene

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUTexture

__all__ = ["contact_sheet", "draw_stills", "read_rgb"]

_SLACK_S = 1e-6
"""A decimal fraction of a second is not quite what a float holds; frames are never so close."""
_GAP_PX = 8
_LABEL_PX = 18


def read_rgb(gpu: GpuContext, texture: GPUTexture) -> NDArray[np.uint8]:
    """Codes of an rgba8unorm texture without alpha, shape (height, width, 3). Slow: it waits for everything."""
    width, height = texture.size[:2]
    stride = -(-width * 4 // ROW_ALIGNMENT_BYTES) * ROW_ALIGNMENT_BYTES
    buffer = gpu.buffer(stride * height, "MAP_READ|COPY_DST", "still")
    encoder = gpu.device.create_command_encoder(label="still")
    target = {"buffer": buffer, "offset": 0, "bytes_per_row": stride, "rows_per_image": height}
    encoder.copy_texture_to_buffer({"texture": texture}, target, (width, height, 1))
    gpu.device.queue.submit([encoder.finish()])
    buffer.map_sync("READ")
    rows = np.frombuffer(buffer.read_mapped(copy=True), np.uint8).reshape(height, stride)
    buffer.unmap()
    return np.ascontiguousarray(rows[:, : width * 4].reshape(height, width, 4)[..., :3])


def draw_stills(
    gpu: GpuContext,
    source: Path,
    scene: Scene,
    times_s: Sequence[float],
    *,
    width: int | None = None,
    height: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """What an export shows at output times in rising order, as codes of shape (height, width, 3).

    A source that ends before a time keeps its last picture. Raises `InputError` or `DeviceLostError`.
    """
    info = probe_source(source)
    uploader = PlaneUploader(gpu, info.planes, 2)
    compositor = Compositor(gpu, uploader, canvas_size(info, width, height), scene, info)
    picture = compositor.picture
    warnings: list[str] = []
    frames = read_frames(source, warn=warnings.append)
    shown, following = None, next(frames, None)
    try:
        for time_s in times_s:
            while following is not None and (
                shown is None or (following.pts or 0) * (following.time_base or 1) - info.start_s <= time_s + _SLACK_S
            ):
                shown, following = following, next(frames, None)
            encoder = gpu.device.create_command_encoder(label="still")
            assert shown is not None  # a source without a single frame is refused when it is probed
            uploader.record(shown, encoder)
            compositor.prepare(encoder, time_s)
            compositor.draw(encoder)
            gpu.device.queue.submit([encoder.finish()])
            uploader.submitted()
            compositor.submitted()
            gpu.check()
            yield read_rgb(gpu, picture)
    finally:
        compositor.close()


def contact_sheet(
    stills: Sequence[NDArray[np.uint8]], labels: Sequence[str], *, columns: int, still_width: int
) -> Image.Image:
    """Stills reduced to a width, in rows, each with its label below."""
    thumbnails = [Image.fromarray(still) for still in stills]
    still_height = round(still_width * thumbnails[0].height / thumbnails[0].width)
    step_x, step_y = still_width + _GAP_PX, still_height + _LABEL_PX + _GAP_PX
    rows = -(-len(stills) // columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, rows * step_y + _GAP_PX), "#ffffff")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_LABEL_PX * 0.75)
    for number, (thumbnail, label) in enumerate(zip(thumbnails, labels, strict=True)):
        left, top = _GAP_PX + number % columns * step_x, _GAP_PX + number // columns * step_y
        sheet.paste(thumbnail.resize((still_width, still_height), Image.Resampling.LANCZOS), (left, top))
        draw.text((left, top + still_height + 2), label, fill="#333333", font=font)
    return sheet


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m capbench.pipeline.contact_sheet",
        description="Draw a contact sheet of a scene.",
        epilog="example: python -m capbench.pipeline.contact_sheet a.mp4 b.png --scene everything --times 0 1 2.5 4",
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path, help="a .png or .jpg file")
    parser.add_argument("--scene", default="everything", help="name of a shipped scene, or a TOML file")
    parser.add_argument("--times", type=float, nargs="+", default=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], help="seconds")
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--still-width", type=int, default=426, help="width of one picture on the sheet")
    parser.add_argument("--height", type=int, default=None, help="lines at which the scene is drawn")
    arguments = parser.parse_args()
    times_s = sorted(arguments.times)
    gpu = open_device()
    try:
        scene = load_scene(arguments.scene)
        stills = list(draw_stills(gpu, arguments.source, scene, times_s, height=arguments.height))
    finally:
        gpu.close()
    labels = [f"{time_s:g} s" for time_s in times_s]
    sheet = contact_sheet(stills, labels, columns=arguments.columns, still_width=arguments.still_width)
    # A palette keeps a sheet of screens small; octrees keep white white.
    sheet.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG).save(
        arguments.output, optimize=True
    )


if __name__ == "__main__":
    _main()
