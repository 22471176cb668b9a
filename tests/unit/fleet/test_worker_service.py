"""What a machine refuses, and that it begins no attempt twice; the block's process is a stand-in."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from capbench.errors import InputError, UnavailableError
from capbench.fleet.block_job import BlockJob, Bundle, BundleFile, PieceJob
from capbench.fleet.workers.worker_service import WorkerService
from capbench.fleet.workers.worker_tasks import run_block
from capbench.harness.matrix.model import Case
from capbench.harness.process import spawn
from capbench.installation import version_of
from tests.unit.fleet.fake_fleet import report_of


def _service(folder: Path) -> WorkerService:
    return WorkerService(folder / "own", folder / "lock", report_of("one"))


def _job(**changed: object) -> BlockJob:
    case = Case(
        name="case",
        recording="1080p-1min",
        subjects=("a",),
        blocks=1,
        timeout_s=10,
        settle_s=0,
        warmup=False,
        drift_control=False,
    )
    known = {
        "capbench_version": version_of("capbench"),
        "run_id": "0" * 16,
        "attempt": "1" * 16,
        "machine": "one",
        "seed": 1,
        "matrix": "m",
        "case": case,
        "subjects": (),
        "number": 0,
        "timeout_s": 60,
    }
    return BlockJob.model_validate(known | changed)


def _stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have blocks made by a script instead of the real process."""

    def launch(_command: object, **settings: object) -> object:
        return spawn.launch([sys.executable, "-c", script], **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("capbench.fleet.workers.worker_service.launch", launch)


def test_another_version_and_another_machine_are_refused(tmp_path: Path) -> None:
    service = _service(tmp_path)

    with pytest.raises(InputError, match=r"0\.0\.1"):
        service.make_block(_job(capbench_version="0.0.1"), lambda: True)
    with pytest.raises(InputError, match="machine two"):
        service.make_block(_job(machine="two"), lambda: True)


def test_an_attempt_is_begun_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask may be set by others, and then tries again in silence."""
    _stand_in(monkeypatch, "import sys; sys.stdin.readline(); sys.exit(3)")
    service = _service(tmp_path)

    answer = service.make_block(_job(), lambda: True)
    with pytest.raises(InputError, match="begun before"):
        service.make_block(_job(), lambda: True)

    assert answer.failure is not None
    assert "exit code 3" in answer.failure.message


def test_a_block_that_nobody_wants_any_more_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, "import time; time.sleep(600)")

    answer = _service(tmp_path).make_block(_job(), lambda: False)

    assert answer.failure is not None
    assert answer.failure.kind == "CancelledBlock"


def test_a_block_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, "import time; time.sleep(600)")

    answer = _service(tmp_path).make_block(_job(timeout_s=0.1), lambda: True)

    assert answer.failure is not None
    assert "did not end" in answer.failure.message


def test_stopping_the_worker_ends_its_block_and_begins_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(monkeypatch, 'import time; print(\'{"doing":"timing"}\', flush=True); time.sleep(600)')
    service = _service(tmp_path)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(service.make_block(_job(), lambda: True)))
    thread.start()
    while service.activity().doing != "timing":
        threading.Event().wait(0.01)

    service.stop()
    thread.join(20)

    assert found
    with pytest.raises(UnavailableError, match="leaves the fleet"):
        service.make_block(_job(attempt="2" * 16), lambda: True)


@pytest.mark.parametrize("case", ["../other", ".hidden", "a/b"])
def test_a_piece_is_read_from_the_folder_of_a_case_only(tmp_path: Path, case: str) -> None:
    with pytest.raises(InputError, match="name of a case"):
        _service(tmp_path).read_piece(PieceJob(run_id="0" * 16, case=case, name="runs/a.json"))


def test_a_piece_is_not_read_through_a_link(tmp_path: Path) -> None:
    service = _service(tmp_path)
    folder = tmp_path / "own" / "runs" / ("0" * 16) / "case" / "runs"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (folder / "a.json").symlink_to(tmp_path / "secret")

    with pytest.raises(InputError, match="not on this machine"):
        service.read_piece(PieceJob(run_id="0" * 16, case="case", name="runs/a.json"))


def test_what_was_sent_to_be_validated_is_forgotten_whole_and_a_block_but_for_its_opening(tmp_path: Path) -> None:
    service = _service(tmp_path)
    folders = [tmp_path / "own" / "runs" / (digit * 16) / "case" for digit in "01"]
    for folder in folders:
        for name in ("runs/a.json", "unvalidated/a.mp4"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("{}")

    service.forget_block(PieceJob(run_id="0" * 16, case="case"))
    service.forget_block(PieceJob(run_id="1" * 16, case="case", whole=True))

    assert (folders[0] / "runs" / "a.json").exists()
    assert not (folders[0] / "unvalidated").exists()
    assert not folders[1].parent.exists()


def test_a_validation_aside_does_not_hide_the_block_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(monkeypatch, 'print(\'{"doing":"timing"}\', flush=True); import time; time.sleep(600)')
    service = _service(tmp_path)
    thread = threading.Thread(target=lambda: service.make_block(_job(), lambda: True))
    thread.start()
    while service.activity().doing != "timing":
        threading.Event().wait(0.01)
    _stand_in(monkeypatch, 'print(\'{"doing":"validating"}\', flush=True)')
    file = BundleFile(name="runs/a.json", sha256="0" * 64, size_bytes=1)

    service.make_block(
        _job(attempt="2" * 16, measured=Bundle(entry=file.name, files=(file,)), validation="waiting"), lambda: True
    )
    doing = service.activity().doing
    service.stop()
    thread.join(20)

    assert doing == "timing"


def test_a_piece_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = BundleFile(name="clip.mp4", sha256="0" * 64, size_bytes=10**7)

    with pytest.raises(InputError, match="not a piece"):
        _service(tmp_path).store_piece(PieceJob(file=file), bytes(3 * 2**20))


def test_a_task_outside_a_worker_of_ours_says_so() -> None:
    with pytest.raises(UnavailableError, match="capbench fleet worker"):
        run_block("{}")
