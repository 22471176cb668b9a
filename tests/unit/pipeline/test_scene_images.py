"""Images that a scene names: bounded before they are decoded, upright, and broken ones are one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capbench.errors import SceneError, SourceError
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.compositor.layers.camera import camera_rectangle
from capbench.pipeline.compositor.layers.cursor import MAX_CURSOR_PX, cursor_texels
from capbench.pipeline.compositor.layers.image_textures import MAX_IMAGE_PX, is_image, open_image
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.scene import Camera, Cursor
from tests.hostile_pictures import png

LARGE = [(8193, 8192), (12000, 12000), (60000, 60000), (2**31 - 1, 2**31 - 1)]


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    """The error's text, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("size", LARGE, ids=str)
def test_a_claimed_size_is_bounded_before_anything_is_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    """There is not a single row in the file: whoever decodes it first would complain of that instead."""
    bomb = png(tmp_path / "bomb.png", *size, rows=0)

    for read in (open_image, is_image):
        with pytest.raises(SceneError, match=r"bomb\.png .*67 megapixels.*; scale it down") as error:
            read(bomb)
        one_line(error)


@pytest.mark.parametrize("size", LARGE, ids=str)
def test_a_picture_as_a_source_is_bounded_like_an_image(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(SourceError, match=r"no frame.*decodes: .*67 megapixels") as error:
        probe_source(png(tmp_path / "bomb.png", *size, rows=0))
    one_line(error)


def test_the_largest_image_that_is_allowed_is_not_refused_for_its_size(tmp_path: Path) -> None:
    side = int(MAX_IMAGE_PX**0.5)

    with pytest.raises(SceneError, match="cannot be decoded"):
        open_image(png(tmp_path / "large.png", side, side, rows=0))


def picture(path: Path, exif: bytes | None = None) -> Path:
    """Noise, which fills a file evenly."""
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    if exif is None:
        image.save(path)
    else:
        image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_image_that_ends_too_soon_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    path = picture(tmp_path / f"cut.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    with pytest.raises(SceneError, match=rf"cut\.{suffix}") as error:
        open_image(path)
    one_line(error)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp", "avif", "ppm"])
def test_bytes_turned_over_are_an_image_or_one_sentence(tmp_path: Path, suffix: str) -> None:
    """Whatever a reader raises for damage: no other error gets out, and no warning."""
    if suffix == "avif" and "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow was built without AVIF")
    whole = picture(tmp_path / f"whole.{suffix}").read_bytes()
    noise = np.random.default_rng(2)
    path = tmp_path / f"damaged.{suffix}"
    for _ in range(60):
        damaged = bytearray(whole)
        # Half of the damage in the header, where sizes and offsets stand.
        for place in (*noise.integers(0, min(200, len(whole)), 3), *noise.integers(0, len(whole), 3)):
            damaged[place] = noise.integers(0, 256)
        path.write_bytes(damaged)
        said = ""
        try:
            assert open_image(path).mode == "RGBA"
        except SceneError as error:
            said = str(error)
        assert "\n" not in said


def test_a_language_of_programs_is_no_image(tmp_path: Path) -> None:
    """Pillow hands EPS to Ghostscript."""
    path = tmp_path / "program.eps"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")

    assert not is_image(path)
    with pytest.raises(SceneError, match="not an image in a supported format"):
        open_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_exif_turns_an_image_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    """A corner is red where the camera's top left was: where EXIF's eight orientations put it (CIPA DC-008)."""
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :32] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera's maker"
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(stored).save(path, exif=exif)

    shown = np.asarray(open_image(path))[..., 0] > 128

    assert shown.shape == ((32, 64) if orientation < 5 else (64, 32))
    down, across = (int(place) for place in np.argwhere(shown).mean(axis=0) > np.array(shown.shape) / 2)
    # First row and first column of what is stored are, in turn, these sides of what is shown (table of orientations).
    right, bottom = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[
        orientation
    ]
    assert (across, down) == (right, bottom)


def test_nonsense_in_exif_does_not_spoil_a_picture(tmp_path: Path) -> None:
    path = picture(tmp_path / "odd.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")

    assert open_image(path).size == (160, 120)


def test_grey_of_16_bits_keeps_its_levels(tmp_path: Path) -> None:
    """Pillow's own conversion takes everything from code 256 on for white."""
    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 257, 128 * 257, 65535]], np.uint16)).save(path)

    assert np.asarray(open_image(path))[0, :, 1].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("size", [(60000, 1), (1, 60000), (320, 10)], ids=str)
def test_a_line_of_pixels_is_no_cursor(tmp_path: Path, size: tuple[int, int]) -> None:
    path = png(tmp_path / "wide.png", *size)
    cursor = Cursor.model_validate({"path": [(0, 0.5, 0.5)], "image": path, "size_px": 400})

    with pytest.raises(
        SceneError, match=rf"wide\.png is {size[0]}x{size[1]}; one side may be at most 16 times"
    ) as error:
        cursor_texels(cursor, 400)
    one_line(error)


@pytest.mark.parametrize("size", [(48, 48), (160, 10), (10, 160)], ids=str)
def test_a_cursor_is_drawn_no_larger_than_its_bound(tmp_path: Path, size: tuple[int, int]) -> None:
    """A zoom of 10 on a canvas of 8192 lines would ask for 80,000 rows."""
    path = png(tmp_path / "cursor.png", *size)
    for image in (path, None):
        cursor = Cursor.model_validate({"path": [(0, 0.5, 0.5)], "image": image})

        rows, columns, _ = cursor_texels(cursor, 80_000).shape

        assert max(rows, columns) - 2 <= MAX_CURSOR_PX
        if image is not None:
            assert (columns - 2) / (rows - 2) == pytest.approx(size[0] / size[1])


@pytest.mark.parametrize("aspect", [60000.0, 1 / 60000])
def test_a_camera_of_its_own_absurd_aspect_is_refused(aspect: float) -> None:
    with pytest.raises(SceneError, match=r"must lie between 0\.1 and 10; set aspect to crop it"):
        camera_rectangle(Camera(aspect=None), CanvasSize(1920, 1080), aspect)
    camera_rectangle(Camera(aspect=1.0), CanvasSize(1920, 1080), aspect)
