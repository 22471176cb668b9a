"""`capbench try` with small foreign exporters: verdicts, exit codes, hooks, figures of their own, and what is left."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from capbench.cli import app as _  # noqa: F401  importing it registers the verbs
from capbench.cli.app import app
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.run.start import RunOptions, run
from capbench.results import RunRole
from capbench.results.folder import read_folder

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the subjects are POSIX commands"),
    pytest.mark.usefixtures("untimed_jobs_here"),
]

_DROPPING = """
import json, sys
import av
source, target, metrics, dropped = sys.argv[1:]
count = 0
with av.open(source) as reader, av.open(target, "w") as writer:
    stream = writer.add_stream_from_template(reader.streams.video[0])
    for packet in reader.demux(video=0):
        if packet.dts is None:
            continue
        count += 1
        if count > 20 - int(dropped):
            continue
        packet.stream = stream
        writer.mux(packet)
figures = {"frames_dropped": int(dropped), "queue_ms": {"value": 2.5, "unit": "ms"}, "stages": {"mux": 0.25}}
json.dump(figures, open(metrics, "w"))
print("\\x1b[31mdone\\x1b[0m", file=sys.stderr)
"""


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip of 20 frames without reordering, beside an exporter that drops as many as it is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(_DROPPING)
    with av.open(str(tmp_path / "clip.mp4"), "w") as writer:
        stream = writer.add_stream("libx264", rate=20, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        across = np.arange(160, dtype=np.uint16)
        for number in range(20):
            picture = np.tile((across + 6 * number) % 256, (120, 1)).astype(np.uint8)
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "gray").reformat(format="yuv420p")))
        writer.mux(stream.encode(None))
    return tmp_path / "clip.mp4"


def _try(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["try", *arguments])
    return done.exit_code, done.output


def test_an_exporter_that_drops_frames_is_red_and_its_evidence_is_kept(clip: Path) -> None:
    command = f"{sys.executable} mine.py {{source}} {{output}} {{metrics}} {{dropped}}"
    code, said = _try(
        *(command, "-L", "dropped", "0,2", "-s", str(clip), "--blocks", "2", "--budget", "60", "--out", "out"),
        *("--save", "gate.toml", "--prepare", "touch prepared", "--conclude", "rm prepared", "--json", "verdict.json"),
    )

    assert code == 1, said
    verdict = json.loads((clip.parent / "verdict.json").read_text())
    rows = {row["metric"]: row["verdict"] for row in verdict["verdicts"]}
    assert rows["frames"] == "worse"
    assert rows["validation"] == "invalid"
    assert (clip.parent / "out" / "index.html").is_file()
    assert not (clip.parent / "prepared").exists()
    runs = [each for each in read_folder(clip.parent / "out").runs if each.role is RunRole.MEASURE]
    bad = next(each for each in runs if each.subject == "mine-dropped=2")
    assert bad.custom["frames_dropped"].value == 2
    assert bad.custom["queue_ms"].unit == "ms"
    assert bad.stages["mux"].work_s == 0.25
    assert bad.stages["mux"].wait_input_s is None
    stem = f"clip--{bad.subject}--b{bad.block:03d}"
    log = (clip.parent / "out" / "runs" / f"{stem}.log").read_text()
    assert "prepare: touch prepared" in log
    assert "\\x1b[31mdone" in log
    assert (clip.parent / "out" / "failed" / f"{stem}.mp4").stat().st_size > 0
    assert not any("dropped=0" in kept.name for kept in (clip.parent / "out" / "failed").iterdir())
    saved = load_matrix("gate.toml")
    assert [subject.name for subject in saved.subjects] == ["mine-dropped=0", "mine-dropped=2"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sh -c 'echo no such codec >&2; exit 3' {output}", "sh ended with exit code 3: no such codec"),
        ("true {output}", "true succeeded but wrote nothing to {output}"),
    ],
)
def test_a_command_that_fails_on_its_first_run_ends_it_with_2(clip: Path, command: str, reason: str) -> None:
    code, said = _try("cp {source} {output}", command, "-s", str(clip), "--out", "out", "-q")

    assert code == 2
    assert "failed on its first run" in said
    assert reason in said
    (log,) = (path for path in (clip.parent / "out" / "runs").glob("*--warmup.log") if "--cp--" not in path.name)
    assert str(log.relative_to(clip.parent)) in said


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("hook", ["prepare", "conclude"])
def test_a_hook_that_fails_fails_its_run(hook: str) -> None:
    Path("gate.toml").write_text(
        "[[case]]\nname = 'clip'\nsource = 'clip.mp4'\nsubjects = ['mine']\nblocks = 1\nwarmup = false\nsettle_s = 0\n"
        f"[[subject]]\nname = 'mine'\ncommand = 'cp {{source}} {{output}}'\n{hook} = 'sh -c \"echo why >&2; exit 4\"'\n"
    )

    (made,) = run("gate.toml", RunOptions(validate=False), out="out").runs

    assert made.error == f"{hook}: sh ended with exit code 4: why"


@pytest.mark.usefixtures("clip")
def test_what_runs_after_may_still_put_the_output_in_its_place() -> None:
    Path("gate.toml").write_text(
        "[[case]]\nname = 'clip'\nsource = 'clip.mp4'\nsubjects = ['mine']\nblocks = 1\nwarmup = false\nsettle_s = 0\n"
        "[[subject]]\nname = 'mine'\ncommand = 'cp {source} {output}.tmp'\nconclude = 'mv {output}.tmp {output}'\n"
    )

    (made,) = run("gate.toml", RunOptions(validate=False), out="out").runs

    assert made.error is None
    assert made.frames == 20
