"""Colour differences against the pairs published with the formula, and against a second implementation of all of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from capbench.quality.checks.colour_checks import colour_differences

Values = NDArray[np.float64]

PUBLISHED = np.array(
    [
        (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
        (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
        (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
        (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
        (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
        (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
        (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
        (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
        (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
        (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
        (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
        (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
        (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
        (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
        (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
        (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
        (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
        (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
        (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
        (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
    ]
)
"""L*, a*, b* of two colours and their difference: Sharma, Wu and Dalal 2005, table 1."""


def ciede2000(first: Values, second: Values) -> Values:
    """Sharma, Wu and Dalal 2005, equations 2 to 22, with all weights 1."""
    l1, a1, b1 = first.T
    l2, a2, b2 = second.T
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean_c7 / (mean_c7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, stretch * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    has_hue = c1 * c2 != 0
    step = np.where(has_hue, (h2 - h1 + 180) % 360 - 180, 0)
    # The equations' own way at exactly opposite hues, where the modulo takes the other one.
    step = np.where(has_hue & (h2 - h1 == 180), 180, step)
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(step / 2))
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    near = np.abs(h1 - h2) <= 180
    mean_h = np.where(has_hue, np.where(near, total / 2, (total + np.where(total < 360, 360, -360)) / 2), total)
    weight = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    turn = np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2))))
    rotation = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * turn
    lightness = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2))
    chroma, hue = (c2 - c1) / (1 + 0.045 * mean_c), delta_h / (1 + 0.015 * mean_c * weight)
    difference: Values = np.sqrt(lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue)
    return difference


def lab(rgb: Values) -> Values:
    """CIELAB of sRGB: IEC 61966-2-1 to CIE XYZ, then CIE 15 with the D65 white."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    # Columns are BT.709's primaries, scaled so that their sum is the white of chromaticity (0.3127, 0.3290).
    chromaticities = np.array([(0.64, 0.33, 0.03), (0.30, 0.60, 0.10), (0.15, 0.06, 0.79)]).T
    white = np.array([0.3127, 0.3290, 0.3583]) / 0.3290
    xyz = linear @ (chromaticities * np.linalg.solve(chromaticities, white)).T
    ratio = xyz / white
    cube = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = cube.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def test_the_second_implementation_gives_the_published_differences() -> None:
    assert ciede2000(PUBLISHED[:, :3], PUBLISHED[:, 3:6]) == pytest.approx(PUBLISHED[:, 6], abs=5e-5)


def test_scikit_image_gives_the_published_differences() -> None:
    found = deltaE_ciede2000(PUBLISHED[:, :3], PUBLISHED[:, 3:6])  # type: ignore[no-untyped-call]

    assert found == pytest.approx(PUBLISHED[:, 6], abs=5e-5)


@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0])
def test_differences_of_patches_are_those_of_the_second_implementation(spread: float) -> None:
    """Colours that are nearly right, and colours that have nothing to do with each other."""
    noise = np.random.default_rng(11)
    wanted = noise.random((2000, 3))
    # White itself has no hue, and whose rounding gives it one decides.
    found = (wanted + noise.uniform(-spread, spread, wanted.shape)).clip(0, 0.98)

    differences = colour_differences(wanted, found)

    # Matrix and white are rounded to six and five digits there.
    assert differences == pytest.approx(ciede2000(lab(wanted), lab(found)), abs=0.02)
    assert differences.max() > 60 * spread
