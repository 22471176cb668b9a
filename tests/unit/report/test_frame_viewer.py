"""The frames of the viewer: which are chosen, the same lossless crop of every subject, and where pictures go."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.errors import OutputError
from capbench.report import write_report
from capbench.report.aggregate import cells_of
from capbench.report.page.frame_crops import PictureStore, encode_lossless, find_worst_region, place_crop
from capbench.report.page.frame_viewer import MOST_FRAMES, FrameViewer, arrange_viewer
from capbench.report.report_folder import read_folder
from capbench.results import SavedFrame, ValidationReport
from tests.report_simulator import STANDARD_CASES, STANDARD_SUBJECTS, Simulation, write_simulated_folder

_CASE = STANDARD_CASES[0]
_SMALL = Simulation(cases=(_CASE,), blocks=2, trace_samples=0, picture_size=(640, 360))
_TINY = replace(_SMALL, picture_size=(120, 68))
_PLENTY = 50_000_000

Pixels = NDArray[np.uint8]


def _viewer(folder: Path, *, page_bytes: int = _PLENTY, files_url: str | None = None) -> FrameViewer:
    store = PictureStore(page_bytes, cases=1, files_url=files_url)
    read = read_folder(folder)
    return arrange_viewer(read, cells_of(read)[_CASE.name], folder, store, name="case-1")


def _rewrite(folder: Path, subject: str, **changes: object) -> None:
    """Change what the first block's validation of a subject says."""
    (file,) = (folder / "runs").glob(f"*--{subject}--b000.json")
    read = next(run for run in read_folder(folder).runs if run.path == file)
    report = read.run.validation
    assert report is not None
    changed = ValidationReport.model_validate(report.model_dump() | changes)
    file.write_text(read.run.model_copy(update={"validation": changed}).model_dump_json(), encoding="utf-8")


def _pixels(url: str | None) -> Pixels:
    assert url is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_simulated_folder(tmp_path_factory.mktemp("viewer") / "results", _SMALL)


def test_every_subject_shows_the_same_pixels_of_a_frame_exactly(simulated: Path) -> None:
    viewer = _viewer(simulated)

    assert viewer.names == ("reference", "cpu", "gpu")
    assert viewer.notes == ()
    assert [frame.frame for frame in viewer.frames] == [0, 120, 200, 300, 593, 599]
    for shown in viewer.frames:
        left, top, width, height = shown.crop
        assert (width, height) == (480, 270)
        for number, name in enumerate(("0-1/{}-reference", "0-1/{}-output", "0-2/{}-output")):
            whole = np.asarray(Image.open(simulated / "frames" / f"{name.format(shown.frame)}.png"))
            assert np.array_equal(_pixels(shown.urls[number]), whole[top : top + height, left : left + width])


def test_the_viewer_opens_at_the_worst_frame_and_says_of_whom(simulated: Path) -> None:
    viewer = _viewer(simulated)

    worst = viewer.frames[viewer.opening]
    assert worst.frame == 200
    assert [reason.partition(",")[0] for reason in worst.reasons] == ["lowest PSNR Y of cpu", "lowest PSNR Y of gpu"]
    assert viewer.frames[0].reasons == ("first frame",)
    assert viewer.frames[-1].reasons == ("last frame",)


def test_the_crop_holds_the_damage_of_any_subject() -> None:
    reference = Image.new("RGB", (1920, 1080), (90, 90, 90))
    clean, damaged = reference.copy(), reference.copy()
    damaged.paste((250, 0, 0), (1500, 900, 1540, 930))

    left, top, width, height = place_crop(reference, [clean, damaged])

    assert left <= 1500
    assert top <= 900
    assert left + width >= 1540
    assert top + height >= 930


def test_a_picture_smaller_than_the_crop_is_shown_whole(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)

    assert {frame.crop for frame in _viewer(folder).frames} == {(0, 0, 120, 68)}
    assert {frame.note for frame in _viewer(folder).frames} == {"the whole frame"}


@pytest.mark.parametrize("mode", ["noise", "flat"])
def test_pictures_are_encoded_without_loss(mode: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 256 if mode == "noise" else 1, (40, 50, 3)).astype(np.uint8)

    encoded = encode_lossless(Image.fromarray(pixels), (5, 6, 30, 20))

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")), pixels[6:26, 5:35])


def test_what_the_page_has_no_room_for_lies_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    write_simulated_folder(folder, _SMALL)

    page = write_report([folder], folder / "index.html", picture_bytes=700_000).read_text(encoding="utf-8")

    inside = sum(len(part.partition('"')[0]) for part in page.split('src="data:image/webp')[1:])
    assert 0 < inside <= 700_000
    files = sorted(file.name for file in (folder / "frames" / "index").iterdir())
    assert len(files) % 3 == 0  # a frame is inside with all its pictures, or beside
    assert files
    assert all(f'src="frames/index/{name}"' in page for name in files)
    assert "img-src data: 'self' file:; media-src 'self' file:" in html.unescape(page)
    whole = [frame for frame in _viewer(folder).frames if f"case-1-f{frame.frame}-0.webp" in files]
    left, top, width, height = whole[0].crop
    original = np.asarray(Image.open(folder / "frames" / "0-2" / f"{whole[0].frame}-output.png"))
    beside = Image.open(folder / "frames" / "index" / f"case-1-f{whole[0].frame}-2.webp").convert("RGB")
    assert np.array_equal(np.asarray(beside), original[top : top + height, left : left + width])


def test_pictures_are_not_written_where_a_link_leads(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)
    (tmp_path / "elsewhere").mkdir()
    (folder / "frames" / "index").symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    with pytest.raises(OutputError, match="is a symbolic link"):
        write_report([folder], tmp_path / "results" / "index.html", picture_bytes=1)

    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_page_that_travels_alone_leaves_out_what_it_has_no_room_for_and_says_so(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)

    page = write_report([folder], tmp_path / "page.html", picture_bytes=60_000, alone=True).read_text(encoding="utf-8")

    assert not (tmp_path / "frames").exists()
    assert "frames are left out: the page has reached its limit for pictures" in page
    assert "img-src data:;" in page


def test_no_pictures_are_shown_where_none_are_wanted(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)

    page = write_report([folder], folder / "index.html", picture_bytes=0).read_text(encoding="utf-8")

    assert 'class="viewer"' not in page
    assert not (folder / "frames" / "index").exists()


def test_a_case_leaves_to_the_next_what_it_does_not_need() -> None:
    store = PictureStore(4_000, cases=2, files_url=None)
    picture = b"x" * 600  # 800 characters of base64, and what stands before them

    store.begin_case()
    assert store.place("a", [picture]) is not None
    store.begin_case()

    assert [store.place("b", [picture]) is not None for _ in range(4)] == [True, True, True, False]


def test_a_subject_without_a_frame_has_no_picture_of_it(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)
    (run,) = (run.run for run in read_folder(folder).blocks if run.run.subject == "gpu" and run.run.block == 0)
    assert run.validation is not None
    kept = [saved.model_dump() for saved in run.validation.saved_frames if saved.frame != 300]
    _rewrite(folder, "gpu", saved_frames=kept)

    (shown,) = (frame for frame in _viewer(folder).frames if frame.frame == 300)

    assert [url is None for url in shown.urls] == [False, False, True]


def test_frames_are_bounded_and_the_worst_stay(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)
    saved = [
        SavedFrame(
            frame=number,
            reasons=("psnr_y",) if number == 23 else ("first",) if number == 0 else ("second",),
            reference_png="frames/0-1/0-reference.png",
            output_png="frames/0-1/0-output.png",
        ).model_dump()
        for number in range(40)
    ]
    for subject in ("cpu", "gpu"):
        _rewrite(folder, subject, saved_frames=saved)

    viewer = _viewer(folder)

    assert len(viewer.frames) == MOST_FRAMES
    assert viewer.frames[viewer.opening].frame == 23
    assert viewer.frames[0].frame == 0


def test_a_folder_of_an_older_capbench_shows_its_worst_frames(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)
    for subject in ("cpu", "gpu"):
        _rewrite(folder, subject, saved_frames=[])

    viewer = _viewer(folder)

    assert [frame.frame for frame in viewer.frames] == [200, 300, 593]
    assert all(None not in frame.urls for frame in viewer.frames)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.png", "lies outside the result folder"),
        ("absent.png", "No such file"),
        ("text.png", "cannot identify"),
        ("half.png", "Frame 200 cannot be shown"),
        ("large.png", "differ in size"),
    ],
)
def test_a_frame_that_cannot_be_shown_is_said_so(tmp_path: Path, name: str, reason: str) -> None:
    folder = write_simulated_folder(tmp_path / "results", _TINY)
    Image.new("RGB", (120, 68)).save(tmp_path / "secret.png")
    (folder / "text.png").write_text("not a picture", encoding="utf-8")
    Image.new("RGB", (64, 36)).save(folder / "large.png")
    whole = (folder / "frames" / "0-2" / "200-output.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (run,) = (run.run for run in read_folder(folder).blocks if run.run.subject == "gpu" and run.run.block == 0)
    assert run.validation is not None
    saved = [
        each.model_dump() | ({"output_png": name} if each.frame == 200 else {}) for each in run.validation.saved_frames
    ]
    _rewrite(folder, "gpu", saved_frames=saved)

    viewer = _viewer(folder)

    assert [frame.frame for frame in viewer.frames] == [0, 120, 300, 593, 599]
    assert len(viewer.notes) == 1
    assert reason in viewer.notes[0]


def test_subjects_beyond_the_digits_are_named(tmp_path: Path) -> None:
    subjects = tuple(replace(STANDARD_SUBJECTS[1], name=f"subject-{number}") for number in range(11))
    folder = write_simulated_folder(tmp_path / "results", replace(_TINY, subjects=subjects, blocks=1))

    viewer = _viewer(folder)

    assert len(viewer.names) == 10
    assert viewer.notes == tuple(f"subject-{number} is not shown: the viewer has room for 9" for number in (9, 10))


@pytest.mark.parametrize(("width", "height"), [(4, 3), (1, 1), (30, 20), (64, 64)])
def test_the_worst_region_is_the_one_a_full_search_finds(width: int, height: int) -> None:
    random = np.random.default_rng(5)
    difference = random.integers(0, 9, (20, 30, 3)).astype(np.uint8)
    difference[11:13, 17:20] = 255
    width_used, height_used = min(width, 30), min(height, 20)
    sums = {
        (left, top): int(difference[top : top + height_used, left : left + width_used].sum(dtype=np.int64))
        for left in range(30 - width_used + 1)
        for top in range(20 - height_used + 1)
    }

    found = find_worst_region(difference, width, height)

    assert sums[found] >= 0.98 * max(sums.values())  # the middle one of those within 2%
