"""Figures that a subject reports about itself: what is taken, what is refused and why, and what a file cannot do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from capbench.harness.run.evidence.ffmpeg_figures import benchmark_figures, progress_figures
from capbench.harness.run.evidence.own_figures import (
    FILE_LIMIT_BYTES,
    METRICS_SCHEMA_FILE,
    MOST_FIGURES,
    MOST_STAGES,
    OwnFigures,
    in_slices_only,
    metrics_schema_text,
    read_own_figures,
)
from capbench.results import StageTimes
from capbench.results.run_record import CustomFigure

_SCHEMA = json.loads(metrics_schema_text())


def _read(folder: Path, content: object) -> OwnFigures:
    file = folder / "metrics.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_own_figures(file)


def test_the_committed_schema_is_what_the_code_says() -> None:
    """After a change, write it anew from what `python -m capbench.harness.run.evidence.own_figures` prints."""
    assert METRICS_SCHEMA_FILE.read_text(encoding="utf-8") == metrics_schema_text()
    Draft202012Validator.check_schema(_SCHEMA)


def test_numbers_units_directions_and_stages_are_taken(tmp_path: Path) -> None:
    written = {
        "frames_dropped": 3,
        "queue": {"value": 12, "unit": "frames", "better": "higher"},
        "mux_ms": 4.5,
        "encode_fps": 120,
        "negative": -1,
        "stages": {"decode": 0.5, "encode": {"work_s": 1.2, "wait_input_s": 0.25}},
    }

    found = _read(tmp_path, written)

    assert found.problems == {}
    assert found.custom == {
        "frames_dropped": CustomFigure(value=3.0),
        "queue": CustomFigure(value=12.0, unit="frames", better="higher"),
        "mux_ms": CustomFigure(value=4.5, unit="ms"),
        "encode_fps": CustomFigure(value=120.0, unit="fps", better="higher"),
        "negative": CustomFigure(value=-1.0),
    }
    assert found.stages == {
        "decode": StageTimes(work_s=0.5, wait_input_s=None, wait_output_s=None),
        "encode": StageTimes(work_s=1.2, wait_input_s=0.25, wait_output_s=None),
    }
    assert not list(Draft202012Validator(_SCHEMA).iter_errors(written))


@pytest.mark.parametrize(
    ("written", "where", "reason"),
    [
        ({"a": "3"}, "custom.a", "not a finite number: '3'"),
        ({"a": True}, "custom.a", "not a finite number"),
        ({"a": None}, "custom.a", "not a finite number"),
        ({"a": [1]}, "custom.a", "not a finite number"),
        ({"a": {}}, "custom.a", "not a finite number"),
        ({"a": {"value": 1, "unti": "s"}}, "custom.a", "did you mean 'unit'?"),
        ({"a": {"value": 1, "unit": "x" * 17}}, "custom.a", "at most 16 characters"),
        ({"a": {"value": 1, "unit": "\u202es"}}, "custom.a", "at most 16 characters"),
        ({"a": {"value": 1, "better": "more"}}, "custom.a", "'lower' or 'higher'"),
        ({"a b": 1}, "custom", "is no name"),
        ({"../x": 1}, "custom", "is no name"),
        ({"x" * 65: 1}, "custom", "is no name"),
        ({"a.b": 1}, "custom", "is no name"),
        ({"stages": {"encode": -1}}, "stage.encode", "not a time"),
        ({"stages": {"encode": {"wait_input_s": 1}}}, "stage.encode", "not a finite number"),
        ({"stages": [1]}, "stages", "must be an object"),
        ({"stages": {"a/b": 1}}, "stage", "is no name"),
    ],
)
def test_what_cannot_be_taken_has_a_reason_and_costs_nothing_else(
    tmp_path: Path, written: dict[str, object], where: str, reason: str
) -> None:
    found = _read(tmp_path, {"good": 1, **written})

    assert reason in found.problems[where]
    assert list(found.custom) == ["good"]
    assert list(Draft202012Validator(_SCHEMA).iter_errors(written))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1]", "no JSON object"),
        ("{", "half written or not JSON"),
        ("", "half written or not JSON"),
        ('{"a": NaN, "b": Infinity}', None),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ('{"a": "' + "x" * FILE_LIMIT_BYTES + '"}', "more than"),
        ('{"a": 1e999}', None),
    ],
)
def test_a_file_that_is_none_is_a_reason(tmp_path: Path, content: str, reason: str | None) -> None:
    found = _read(tmp_path, content)

    assert found.custom == {}
    assert found.problems
    if reason is not None:
        assert reason in found.problems["custom"]
        assert str(tmp_path) not in found.problems["custom"]


def test_no_more_than_the_limit_is_taken(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        {f"f{number}": number for number in range(MOST_FIGURES + 5)}
        | {"stages": {f"s{number}": 1 for number in range(MOST_STAGES + 5)}},
    )

    assert (len(found.custom), len(found.stages)) == (MOST_FIGURES, MOST_STAGES)
    assert set(found.problems) == {"custom", "stage"}


def test_wrong_entries_are_bounded_too(tmp_path: Path) -> None:
    found = _read(tmp_path, {f"f{number}": "x" for number in range(5000)})

    assert len(found.problems) <= MOST_FIGURES


@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/zero")

    for name in ("fifo", "folder", "link"):
        assert "something that is no file" in read_own_figures(tmp_path / name).problems["custom"]
    assert "nothing" in read_own_figures(tmp_path / "gone").problems["custom"]


def test_of_a_run_in_slices_only_what_no_clock_counts_is_kept(tmp_path: Path) -> None:
    found = in_slices_only(
        _read(tmp_path, {"drops": 1, "wait_ms": 3, "speed": {"value": 2, "unit": "x"}, "stages": {"a": 1}})
    )

    assert list(found.custom) == ["drops"]
    assert found.stages == {}
    assert set(found.problems) == {"custom.wait_ms", "custom.speed", "stages"}


_PROGRESS = (
    "frame=30\nfps=0.00\nstream_0_0_q=-1.0\nbitrate=  55.8kbits/s\ntotal_size=6505\ndup_frames=1\ndrop_frames=2\n"
)


def test_the_last_block_of_ffmpegs_progress_is_read(tmp_path: Path) -> None:
    block = _PROGRESS + "speed=20.6x\nprogress=end\n"
    expected = {
        "ffmpeg_dup_frames": CustomFigure(value=1.0, unit="frames"),
        "ffmpeg_drop_frames": CustomFigure(value=2.0, unit="frames"),
        "ffmpeg_speed": CustomFigure(value=20.6, unit="x", better="higher"),
    }

    assert progress_figures(_PROGRESS.replace("=2", "=9") + "progress=continue\n" + block) == expected
    assert _read(tmp_path, block).custom == expected
    assert list(progress_figures(_PROGRESS + "speed=N/A\nprogress=end\n")) == [
        "ffmpeg_dup_frames",
        "ffmpeg_drop_frames",
    ]
    assert progress_figures(_PROGRESS + "progress=continue\n") == {}
    assert progress_figures("the progress=end of it") == {}


def test_ffmpegs_benchmark_is_read_from_among_other_lines() -> None:
    times = "bench: utime=9s stime=9s rtime=9s\nbench: utime=0.025s stime=0.002s rtime=0.045s\n"
    text = f"{times}bench: maxrss=52284KiB\n[x] y\n"

    assert benchmark_figures(text) == {
        "ffmpeg_user_s": CustomFigure(value=0.025, unit="s"),
        "ffmpeg_system_s": CustomFigure(value=0.002, unit="s"),
        "ffmpeg_real_s": CustomFigure(value=0.045, unit="s"),
        "ffmpeg_max_rss_bytes": CustomFigure(value=52284 * 1024.0, unit="bytes"),
    }
    assert benchmark_figures("bench: utime=nans stime=xs rtime=\n") == {}
