"""A curve from the matrix file to the page: two presets of x264 on a small clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import bjontegaard
import numpy as np
import pytest
from typer.testing import CliRunner

import capbench
from capbench.cli.app import app
from capbench.harness.run.start import RunOptions
from capbench.results.comparison import Verdict
from tests.jobs_in_process import jobs_done_here


def _clip(path: Path) -> None:
    """A dozen frames of smooth noise that drifts, lossless: what presets differ on."""
    rng = np.random.default_rng(3)
    waves = [(rng.uniform(0.03, 0.5, 2), rng.uniform(0, 6.3), rng.uniform(0.1, 0.9)) for _ in range(40)]
    x, y = np.meshgrid(np.arange(192), np.arange(128))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, 25)
        # As the output is tagged: otherwise nothing could be passed through.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        for number in range(12):
            luma = sum(np.sin(fx * x + fy * y + phase + speed * number) for (fx, fy), phase, speed in waves)
            codes = np.full((192, 192), 128, np.uint8)
            codes[:128] = np.clip(126 + 14 * luma, 16, 235)
            frame = av.VideoFrame.from_ndarray(codes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a corpus of one clip by two presets at four points."""
    path = tmp_path_factory.mktemp("curves")
    (path / "clips").mkdir()
    _clip(path / "clips" / "waves.mp4")
    (path / "curve.toml").write_text(
        'reference = "medium"\n[defaults]\nmetrics = ["psnr"]\n'
        '[[corpus]]\nname = "clips"\nfolder = "clips"\nsubjects = ["ultrafast", "medium"]\n'
        "blocks = 1\nwarmup = false\nsettle_s = 0\n[corpus.curve]\ncrf = [18, 23, 28, 33]\n"
        + "".join(
            f'[[subject]]\nname = "{preset}"\npath = "passthrough"\noptions = {{ preset = "{preset}" }}\n'
            for preset in ("ultrafast", "medium")
        )
    )
    with jobs_done_here():
        capbench.run(path / "curve.toml", out=path / "out")
    return path / "out"


def test_each_point_is_a_run_with_its_setting_and_the_bytes_of_its_pictures(folder: Path) -> None:
    runs = capbench.load(folder)

    assert len(runs) == 8
    assert set(runs["point.value"]) == {18, 23, 28, 33}
    assert runs["error"].isna().all()
    assert (runs["video_bytes"] < runs["output_bytes"]).all()
    medium = runs[runs["subject"] == "medium"].sort_values("point.value")
    assert medium["video_bytes"].is_monotonic_decreasing
    assert medium["quality.psnr_y.mean"].is_monotonic_decreasing


def test_the_gate_says_what_the_package_says(folder: Path) -> None:
    runs = capbench.load(folder)
    sides = []
    for subject in ("medium", "ultrafast"):
        own = runs[runs["subject"] == subject].sort_values("point.value")
        sides += [list(8 * own["video_bytes"] / own["duration_s"]), list(own["quality.psnr_y.mean"])]
    by_hand = bjontegaard.bd_rate(*sides, method="pchip", min_overlap=0)

    comparison = capbench.compare(folder)

    row = next(row for row in comparison.verdicts if row.metric == "bd_rate.psnr_y")
    assert row.ratio == pytest.approx(1 + by_hand / 100, rel=1e-9)
    assert row.case == "clips"
    assert row.verdict is Verdict.WORSE  # ultrafast leaves out what saves rate
    assert not [row for row in comparison.verdicts if row.metric == "output_bytes"]


def test_a_clip_that_cannot_be_read_ends_the_matrix_before_anything_is_timed(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video at all")
    matrix = tmp_path / "broken.toml"
    matrix.write_text('[[corpus]]\nname = "clips"\nfolder = "clips"\nsubjects = ["passthrough"]\n')

    done = CliRunner().invoke(app, ["run", str(matrix), "--out", str(tmp_path / "out"), "--quiet"])

    assert done.exit_code == 2
    assert "clips-broken" in done.output + str(done.exception)
    assert not list((tmp_path / "out" / "runs").glob("*"))


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_command_gets_the_value_of_the_point(tmp_path: Path) -> None:
    _clip(tmp_path / "waves.mp4")
    matrix = tmp_path / "command.toml"
    matrix.write_text(
        '[[case]]\nname = "one"\nsource = "waves.mp4"\nsubjects = ["copy"]\nblocks = 1\nwarmup = false\nsettle_s = 0\n'
        "[case.curve]\ncrf = [50, 52, 54.5, 63]\n"  # beyond what the pipeline's encoder takes, which has no part in it
        "[[subject]]\nname = 'copy'\ncommand = ['sh', '-c', 'cp \"$1\" \"$2\"', '{crf}', '{source}', '{output}']\n"
    )

    contents = capbench.run(matrix, RunOptions(validate=False), out=tmp_path / "out")

    assert sorted((run.point.label, run.command[3]) for run in contents.runs if run.point is not None) == [
        ("crf=50", "50"),
        ("crf=52", "52"),
        ("crf=54.5", "54.5"),
        ("crf=63", "63"),
    ]
    assert all(run.video_bytes for run in contents.runs)
