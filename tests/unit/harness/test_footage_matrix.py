"""`[[footage]]` tables: what they may say, and what a case that names one takes from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix, parse_matrix
from capbench.results.run_record import RunResult

SHA256 = "ab" * 32
CLIP = f'[[footage]]\nname = "bus"\nurl = "https://example.org/bus.y4m"\nsha256 = "{SHA256}"\nlicence = "CC BY 4.0"\n'
CASE = '\n[[case]]\nname = "a"\nfootage = "bus"\n'


def _parse(tmp_path: Path, text: str) -> object:
    return parse_matrix(text, tmp_path / "matrix.toml")


def test_a_case_takes_the_clip_and_where_it_is_fetched_from(tmp_path: Path) -> None:
    matrix = parse_matrix(f"{CLIP}duration_s = 2.5\nfps = 60\nwidth = 1280\nheight = 720{CASE}", tmp_path / "m.toml")
    (case,) = matrix.cases

    assert case.footage is not None
    assert (case.footage.width, case.footage.height, case.footage.fps, case.footage.frames) == (1280, 720, "60", 150)
    assert case.download is not None
    assert (case.download.url, case.download.sha256) == ("https://example.org/bus.y4m", SHA256)
    assert case.source is None
    assert case.model_dump()["footage"]["licence"] == "CC BY 4.0"


def test_other_sources_write_no_footage(tmp_path: Path) -> None:
    """Older readers refuse the key."""
    matrix = parse_matrix('[[case]]\nname = "a"\nrecording = "1080p-1min"', tmp_path / "m.toml")

    assert "footage" not in matrix.cases[0].model_dump()
    assert "footage" not in RunResult(case="a", subject="gpu", block=0).model_dump()


def test_a_default_clip_gives_way_to_a_recording(tmp_path: Path) -> None:
    text = f'{CLIP}duration_s = 2\n[defaults]\nfootage = "bus"\n[[case]]\nname = "a"\nrecording = "1080p-1min"'
    matrix = parse_matrix(text, tmp_path / "m.toml")

    assert matrix.cases[0].footage is None
    assert matrix.cases[0].download is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CLIP + CASE, "duration_s"),
        (CLIP + "duration_s = 0" + CASE, "duration_s"),
        (CLIP + "duration_s = 4000" + CASE, "duration_s"),
        (CLIP + "duration_s = 2\nwidth = 1281" + CASE, "width"),
        (CLIP + "duration_s = 2\nwidth = 100000" + CASE, "width"),
        (CLIP + "duration_s = 2\nstart_s = -1" + CASE, "start_s"),
        (CLIP + "duration_s = 2\nfps = 0" + CASE, "fps"),
        (CLIP + 'duration_s = 2\npixel_format = "rgb24"' + CASE, "pixel_format"),
        (CLIP + "duration_s = 2\nlicense = 1" + CASE, "license"),
        (CLIP + f'duration_s = 2\nnormalised_sha256 = "{SHA256}"' + CASE, "normalised_sha256"),
        (CLIP.replace(SHA256, "12") + "duration_s = 2" + CASE, "sha256"),
        (CLIP.replace("https:", "file:") + "duration_s = 2" + CASE, "url"),
        (CLIP.replace('licence = "CC BY 4.0"', "") + "duration_s = 2" + CASE, "licence"),
        (CLIP + "duration_s = 3600\nwidth = 3840\nheight = 2160\nfps = 60" + CASE, "pixels"),
        (CLIP + "duration_s = 2\n" + CLIP + "duration_s = 2" + CASE, "another clip"),
        (CLIP + "duration_s = 2" + CASE.replace('"bus"', '"bsu"'), "bsu"),
        (CASE, "unknown clip"),
        (CLIP + "duration_s = 2" + CASE + "duration_s = 1", "duration_s"),
        (CLIP + "duration_s = 2" + CASE + '[[override]]\ncase = "a"\nduration_s = 1', "own length"),
        (CLIP + "duration_s = 2" + CASE + 'recording = "1080p-1min"', "not both"),
    ],
)
def test_a_wrong_table_is_refused_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MatrixError, match=says):
        _parse(tmp_path, text)


def test_clips_of_an_included_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "clips.toml").write_text(CLIP + "duration_s = 2")
    (tmp_path / "m.toml").write_text(f'include = ["clips.toml"]\n{CASE}')

    (case,) = load_matrix(tmp_path / "m.toml").cases

    assert case.footage is not None
    assert case.footage.name == "bus"
