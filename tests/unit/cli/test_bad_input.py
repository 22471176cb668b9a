"""What a user can get wrong: one line that says what and why, the right exit code, and no file left behind."""

from __future__ import annotations

import os
import signal
import sys
import wave
from pathlib import Path

import pytest

import capbench.cli  # noqa: F401  registers the verbs
from capbench.cli.app import run_app
from capbench.harness.machine.machine_lock import MOST_VALIDATING
from capbench.recordings import RecordingSpec, make_recording


@pytest.fixture(scope="module")
def clip() -> Path:
    """A real recording of 3 frames."""
    return make_recording(RecordingSpec("tiny", 160, 90, 30, 0.1))


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    """Everything that the command lines below name."""
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "other-name.mp4").symlink_to(tmp_path / "clip.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("Dear diary,\n" * 100)
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:200])
    (tmp_path / "scene.toml").write_text("paddin = 3\n")
    (tmp_path / "matrix.toml").write_text("[[case]]\nname = 'a'\nsauce = 'b'\n")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 48000, 0, "NONE", ""))
        sound.writeframes(bytes(9600))
    return tmp_path


def _capbench(monkeypatch: pytest.MonkeyPatch, folder: Path, command: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["capbench", *command.split()])
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return run_app()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("export missing.mp4 out.mp4", "missing.mp4"),
        ("export folder.mp4 out.mp4", "folder.mp4"),
        ("export empty.mp4 out.mp4", "empty.mp4"),
        ("export text.mp4 out.mp4", "text.mp4"),
        ("export cut.mp4 out.mp4", "cut.mp4"),
        ("export sound.wav out.mp4", "sound.wav"),
        ("export clip.mp4 out.mp4 --path gpuu", "gpuu"),
        ("export clip.mp4 out.mp4 --path videotoolbx", "videotoolbx"),
        ("export clip.mp4 out.mp4 --scene stuidio", "stuidio"),
        ("export clip.mp4 out.mp4 --scene missing.toml", "missing.toml"),
        ("export clip.mp4 out.mp4 --scene scene.toml", "paddin"),
        ("export clip.mp4 out.mp4 --quality best", "best"),
        ("export clip.mp4 out.mp4 --qp 99", "99"),
        ("export clip.mp4 out.mp4 --width 0", "0"),
        ("export clip.mp4 out.mp4 --width 99", "99"),
        ("export clip.mp4 out.mp4 --height -2", "-2"),
        ("export clip.mp4 out.mp4 --fps 0", "0"),
        ("export clip.mp4 out.mp4 --fps nan", "nan"),
        ("export clip.mp4 out.mp4 --memory-limit lots", "lots"),
        ("export clip.mp4 out.mp4 --json missing/report.json", "missing/report.json"),
        ("export clip.mp4 out.mp4 --json folder.mp4", "folder.mp4"),
        ("export clip.mp4 clip.mp4", "clip.mp4"),
        ("export clip.mp4 other-name.mp4", "other-name.mp4"),
        ("export clip.mp4 folder.mp4", "folder.mp4"),
        ("export clip.mp4 missing/out.mp4", "missing"),
        ("export clip.mp4 text.mp4/out.mp4", "text.mp4"),
        ("export clip.mp4 out.mkv", "out.mkv"),
        ("media 5k-1min", "5k-1min"),
        ("run quik", "quik"),
        ("run folder.mp4", "folder.mp4"),
        ("run text.mp4", "text.mp4"),
        ("run matrix.toml", "sauce"),
        ("run quick --case nothing*", "nothing*"),
        ("run quick --subject nobody", "nobody"),
        ("run quick --budget soon", "soon"),
        ("run quick --out text.mp4", "text.mp4"),
        ("compare missing folder.mp4", "missing"),
        ("compare folder.mp4 folder.mp4", "folder.mp4"),
        ("compare text.mp4 folder.mp4", "text.mp4"),
        ("compare folder.mp4:cpu folder.mp4:gpu --gates missing.toml", "missing.toml"),
        ("compare folder.mp4:cpu folder.mp4:gpu --gates matrix.toml", "case"),
        ("report missing", "missing"),
        ("report folder.mp4", "folder.mp4"),
        ("report text.mp4", "text.mp4"),
        ("results missing", "missing"),
        ("results folder.mp4 --to xml", "xml"),
        ("validate missing.mp4 clip.mp4", "missing.mp4"),
        ("validate clip.mp4 missing.mp4", "missing.mp4"),
        ("validate clip.mp4 text.mp4", "text.mp4"),
        ("validate sound.wav clip.mp4", "sound.wav"),
        ("doctor --json missing/found.json", "missing/found.json"),
        # Options that would have no effect.
        ("run quick --certificates keys", "--certificates"),
        ("run quick --insecure", "--insecure"),
        ("run quick --fleet local:2 --insecure", "--insecure"),
        ("run quick --slice-ms 50", "--slice-ms"),
        ("run quick --gates gates.toml", "--gates"),
        ("run quick --retry-failed", "--retry-failed"),
        ("validate clip.mp4 clip.mp4 --certificates keys", "--certificates"),
        ("validate clip.mp4 clip.mp4 --insecure", "--insecure"),
        ("validate clip.mp4 clip.mp4 --parts 2 --fleet local:2", "--parts"),
        ("validate --list-metrics clip.mp4", "REFERENCE"),
        ("validate --list-metrics --no-vmaf", "--no-vmaf"),
        ("try cpu gpu --ends output", "--ends"),
        ("try cpu gpu --begins go", "--begins"),
        ("report results --format csv --alone", "--alone"),
        ("report results --format markdown --pictures 0", "--pictures"),
        ("bundle --check missing.capbench -o other.capbench", "--output"),
        ("export clip.mp4 out.mp4 --dither bayer", "--dither"),
        ("export clip.mp4 out.gif --encoder libx265", "--encoder"),
        ("export clip.mp4 out.gif --qp 20", "--qp"),
        ("export clip.mp4 --encoder none --preset fast", "--preset"),
        ("export clip.mp4 out.mp4 --encoder libopenh264 --preset fast", "--preset"),
        ("export clip.mp4 out.mp4 --qp 20 --crf 20", "--qp and --crf"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(
    command: str, names: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))

    code = _capbench(monkeypatch, folder, command)

    printed = capfd.readouterr()
    assert (code, printed.out) == (2, ""), printed
    assert printed.err.startswith("capbench: ")
    assert printed.err.count("\n") == 1
    assert names in printed.err
    assert sorted(folder.rglob("*")) == before


def test_a_variable_of_the_fleet_is_no_option_of_a_command_without_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is set once in a shell, for every command; what is refused here is another thing."""
    monkeypatch.setenv("CAPBENCH_FLEET_CERTIFICATES", "keys")

    codes = [
        _capbench(monkeypatch, folder, command) for command in ("run missing.toml", "validate clip.mp4 missing.mp4")
    ]

    assert codes == [2, 2]
    assert capfd.readouterr().err.count("missing") == 2


def test_a_worker_validates_no_more_at_once_than_its_machine_has_rooms(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = f"fleet worker 127.0.0.1:1 --validation-slots {MOST_VALIDATING + 1}"

    assert _capbench(monkeypatch, folder, command) == 2
    assert "--validation-slots" in capfd.readouterr().err


_HOSTILE = {
    "deep.toml": "a = " + "[" * 5000 + "]" * 5000,
    "integer.toml": "a = " + "9" * 5000,
    "hexadecimal.toml": "a = 0x" + "f" * 5000,
    "nul.toml": 'a = "x\\u0000"',
    "key.toml": ".".join("a" * 100_000) + " = 1",
    "ratio.toml": "[[rule]]\nmetric = 'readback_bytes'\nequals_ratio = '1e999999999'\n",
    "settle.toml": "[[case]]\nname = 'c'\nrecording = '1080p-1min'\nsettle_s = 1e30\n",
    "latin.toml": "größe = 1",
    "deep.json": "[" * 100_000,
    "integer.json": '{"schema_version": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("name", [*_HOSTILE, "/dev/zero", "/dev/null", "n" * 300])
@pytest.mark.parametrize(
    "verb",
    [
        "run {}",
        "calibrate {}",
        "export clip.mp4 out.mp4 --scene {}",
        "compare results:one results:two --gates {}",
        "compare {} results",
        "report results --gates {}",
        "history show --history {}",
        "run quick --out {} --resume",
        "results {}",
        "validate {} clip.mp4",
    ],
)
def test_hostile_text_is_one_line_in_every_verb(
    verb: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if name in _HOSTILE:
        encoding = "latin-1" if name.startswith("latin") else "utf-8"
        (folder / name).write_text(_HOSTILE[name], encoding=encoding)
    (folder / "results" / "runs").mkdir(parents=True)

    code = _capbench(monkeypatch, folder, verb.format(name))

    printed = capfd.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1), printed
    assert len(printed.err) < 1500


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_a_result_file_that_is_hostile_is_named_and_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = folder / "results" / "runs"
    runs.mkdir(parents=True)
    for name, text in _HOSTILE.items():
        if name.endswith(".json"):
            (runs / name).write_text(text)
    (runs / "zero.json").symlink_to("/dev/zero")
    (runs / ("n" * 240 + ".json")).mkdir()

    code = _capbench(monkeypatch, folder, "results results --to csv")

    printed = capfd.readouterr()
    assert code == 0
    assert printed.err.count("was left out") == 4 + 1  # and environment.json, which is not there
    assert printed.err.count("\n") == 5


@pytest.mark.parametrize("encoder", ["libx265x", "h264_videotoolbox" if sys.platform != "darwin" else "h264_amf"])
def test_an_encoder_that_does_not_work_here_is_exit_4(
    encoder: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = _capbench(monkeypatch, folder, f"export clip.mp4 out.mp4 --encoder {encoder}")

    printed = capfd.readouterr()
    assert code == 4
    assert printed.err.startswith("capbench: ")
    assert printed.err.count("\n") == 1
    assert encoder in printed.err
    assert not (folder / "out.mp4").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc refuses new files even to root")
def test_an_output_that_cannot_be_written_is_exit_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = _capbench(monkeypatch, folder, "export clip.mp4 /proc/out.mp4 --path passthrough")

    printed = capfd.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert "/proc" in printed.err


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_name_that_is_no_text_is_shown_and_not_a_crash(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = _capbench(monkeypatch, folder, os.fsdecode(b"export \xff.mp4 out.mp4"))

    assert (code, capfd.readouterr().err) == (2, "capbench: no such file: \\udcff.mp4\n")
