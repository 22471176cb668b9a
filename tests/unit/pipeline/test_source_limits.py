"""What a file may state of its pictures: bounds that stand once, for exports and for validation."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from capbench.errors import SourceError
from capbench.pipeline.decode.open_source import check_size

FILE = Path("a.mkv")


@pytest.mark.parametrize("size", [(16384, 4096), (4096, 16384), (8192, 8192), (1, 1)])
def test_the_largest_picture_is_taken(size: tuple[int, int]) -> None:
    check_size(FILE, *size)


@pytest.mark.parametrize("size", [(16385, 16), (16, 16385), (8193, 8192), (2**31, 2**31)])
@pytest.mark.parametrize("aspect", [None, Fraction(1), Fraction(4, 3)])
def test_a_larger_picture_is_refused_with_its_size(size: tuple[int, int], aspect: Fraction | None) -> None:
    with pytest.raises(SourceError, match=f"^{FILE} is {size[0]}x{size[1]}") as refused:
        check_size(FILE, *size, sample_aspect=aspect)

    # A size in square pixels is one that nobody finds in the file: the aspect that makes it is named.
    assert bool(re.search(r"square pixels .*4/3", str(refused.value))) is (aspect == Fraction(4, 3))
