"""Two revisions side by side: what is checked out, what is built, and who takes part. Nothing is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capbench.errors import InputError, UnavailableError
from capbench.harness.machine.lock_beside import FolderInUseError, lock_beside
from capbench.harness.matrix import git_revisions as revisions
from capbench.harness.matrix.git_revisions import add_revision, resolve_revision
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.worker.client import ask_worker


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A work tree with two commits; the first is tagged `old` and its `version.txt` says 1."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    for version in ("1", "2"):
        (folder / "version.txt").write_text(version)
        _git(folder, "add", "version.txt")
        _git(folder, "commit", "--quiet", "-m", version)
        if version == "1":
            _git(folder, "tag", "old")
    return folder


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of installing, note the version that would have been, and make what stands for an interpreter."""
    versions: list[str] = []

    def build(source: Path, target: Path) -> None:
        versions.append((source / "version.txt").read_text())
        python = revisions._python_of(target)
        python.parent.mkdir(parents=True)
        python.write_text("")

    monkeypatch.setattr(revisions, "_build", build)
    return versions


def _matrix() -> RunMatrix:
    case = Case(
        name="a",
        recording="x",
        subjects=("floor", "theirs", "gpu"),
        blocks=1,
        timeout_s=1,
        settle_s=0,
        warmup=False,
        drift_control=False,
    )
    subjects = (
        Subject(name="floor", is_floor=True),
        Subject(name="theirs", command=("prog", "{output}")),
        Subject(name="gpu", path="gpu"),
    )
    return RunMatrix(name="m", cases=(case,), subjects=subjects)


def test_paths_and_floor_get_a_twin_and_commands_do_not(checkout: Path, built: list[str], tmp_path: Path) -> None:
    with add_revision(_matrix(), "old", checkout=checkout, cache=tmp_path / "cache") as matrix:
        assert matrix.subject("gpu").python != matrix.subject("gpu@old").python

    assert matrix.cases[0].subjects == ("floor", "floor@old", "theirs", "gpu", "gpu@old")
    twin, own = matrix.subject("gpu@old"), matrix.subject("gpu")
    assert twin.path == own.path == "gpu"
    assert twin.revision == _git(checkout, "rev-parse", "old")
    assert own.revision is None
    assert twin.python is not None
    assert own.python is not None
    assert twin.python != own.python
    assert built == ["1", "2"]


def test_a_revision_is_built_once_and_the_work_tree_each_time(checkout: Path, built: list[str], tmp_path: Path) -> None:
    for version in ("2", "2, edited"):
        (checkout / "version.txt").write_text(version)
        with add_revision(_matrix(), "old", checkout=checkout, cache=tmp_path / "cache"):
            pass

    assert built == ["1", "2", "2, edited"]


def test_no_work_tree_is_left_behind(checkout: Path, built: list[str], tmp_path: Path) -> None:
    with add_revision(_matrix(), "old", checkout=checkout, cache=tmp_path / "cache"):
        pass

    assert built
    assert len(_git(checkout, "worktree", "list").splitlines()) == 1
    assert not list((tmp_path / "cache").glob("*.tree"))


def test_two_runs_at_once_measure_with_environments_of_their_own(
    checkout: Path, built: list[str], tmp_path: Path
) -> None:
    """The second removed what the first was measuring with."""
    cache = tmp_path / "cache"
    with add_revision(_matrix(), "old", checkout=checkout, cache=cache) as first:
        mine = first.subject("gpu").python
        assert mine is not None
        with add_revision(_matrix(), "old", checkout=checkout, cache=cache) as second:
            theirs = second.subject("gpu").python
            assert theirs is not None
            assert theirs != mine
            assert mine.exists()
        assert mine.exists()
        assert not theirs.exists()

    assert built == ["1", "2", "2"]
    assert not list(cache.glob("work-tree*"))


def test_the_environment_goes_when_the_run_fails(checkout: Path, built: list[str], tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        add_revision(_matrix(), "old", checkout=checkout, cache=tmp_path / "cache"),
    ):
        raise KeyboardInterrupt

    assert built == ["1", "2"]
    assert not list((tmp_path / "cache").glob("work-tree*"))


_HOLDER = """
import pathlib, sys
from capbench.harness.machine.lock_beside import lock_beside
folder = pathlib.Path(sys.argv[1])
with lock_beside(folder):
    folder.mkdir()
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there the lock's file cannot be removed while it is open")
def test_what_a_killed_run_left_is_removed_and_what_another_uses_stays(
    checkout: Path, built: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    left, used = cache / "work-tree-left", cache / "work-tree-used"
    holders = {
        folder: subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for folder in (left, used)
    }
    try:
        for holder in holders.values():
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
        holders[left].kill()
        holders[left].wait()

        with add_revision(_matrix(), "old", checkout=checkout, cache=cache):
            assert built == ["1", "2"]
            assert not left.exists()
            assert used.exists()
    finally:
        for holder in holders.values():
            holder.kill()
            holder.communicate()

    assert sorted(path.name for path in cache.glob("work-tree*")) == ["work-tree-used", "work-tree-used.lock"]


def test_a_lock_that_another_has_is_refused_or_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    free = threading.Event()
    order: list[str] = []

    def wait() -> None:
        with lock_beside(folder, on_wait=free.set):
            order.append("waited")

    with lock_beside(folder):
        with pytest.raises(FolderInUseError, match="in use by another capbench"), lock_beside(folder):
            pass
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert free.wait(60)
        order.append("held")
    waiter.join(60)

    assert order == ["held", "waited"]  # the holder removed the lock's file, and the waiter made a new one
    assert not list(tmp_path.iterdir())


def test_a_revision_that_two_runs_need_is_built_by_one(
    checkout: Path, built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second took the work tree that the first was checking out for a whole one, and either removed it."""
    cache, said = tmp_path / "cache", threading.Event()
    quick = revisions._build

    def slow(source: Path, target: Path) -> None:
        assert said.wait(60)  # until the other one is at the lock
        quick(source, target)

    monkeypatch.setattr(revisions, "_build", slow)

    def says(line: str) -> None:
        if line.startswith("waiting"):
            said.set()

    commit = resolve_revision("old", checkout)
    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(lambda _: revisions.build_revision(commit, checkout=checkout, cache=cache, says=says), range(2))
        )

    assert built == ["1"]
    assert found[0] == found[1]


def test_a_checkout_that_a_killed_run_left_half_done_is_made_again(
    checkout: Path, built: list[str], tmp_path: Path
) -> None:
    cache, commit = tmp_path / "cache", resolve_revision("old", checkout)
    (cache / f"{commit}.tree").mkdir(parents=True)
    (cache / f".{commit}.0123abcd.partial").mkdir()

    python = revisions.build_revision(commit, checkout=checkout, cache=cache)

    assert built == ["1"]
    assert python.exists()
    assert not list(cache.glob("*.tree"))
    assert not list(cache.glob("*.partial"))


def test_a_cache_that_cannot_be_made_is_said(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(UnavailableError, match="file/cache for environments: not a directory"),
        add_revision(_matrix(), "old", checkout=checkout, cache=tmp_path / "file" / "cache"),
    ):
        pass


def test_a_revision_with_a_slash_is_part_of_a_file_name(checkout: Path, built: list[str], tmp_path: Path) -> None:
    _git(checkout, "branch", "feature/one--two")

    with add_revision(_matrix(), "feature/one--two", checkout=checkout, cache=tmp_path / "cache") as matrix:
        assert built
        assert "gpu@feature_one_two" in matrix.cases[0].subjects


@pytest.mark.parametrize("revision", ["nonsense", "--help", ""])
def test_an_unknown_revision_is_said(checkout: Path, revision: str) -> None:
    with pytest.raises(InputError, match="git knows no revision"):
        resolve_revision(revision, checkout)


def test_without_a_work_tree_there_is_nothing_to_hold_against(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="--against needs a git work tree"):
        resolve_revision("HEAD", tmp_path)


_WORKER = """
import json, os, pathlib, sys
spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
said = {"who": WHO, "steered": [name for name in ("PYTHONPATH", "PYTHONHOME") if name in os.environ]}
pathlib.Path(spec["answer"]).write_text(json.dumps({"result": said}))
"""


def _install(site: Path, who: str) -> None:
    """What stands for a capbench, which answers every job with who it is."""
    worker = site / "capbench" / "harness" / "worker"
    worker.mkdir(parents=True)
    for package in (worker, *list(worker.parents)[:2]):
        (package / "__init__.py").touch()
    (worker / "__main__.py").write_text(_WORKER.replace("WHO", repr(who)))


def test_a_revision_runs_its_own_code_whatever_pythonpath_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works from a checkout has a PYTHONPATH: both sides of `--against` were the work tree, and "Same"."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "old")], check=True)
    python = revisions._python_of(tmp_path / "old")
    paths = subprocess.run(
        [str(python), "-c", "import json, site; print(json.dumps(site.getsitepackages()))"],
        capture_output=True,
        text=True,
        check=True,
    )
    _install(Path(json.loads(paths.stdout)[0]), "the revision")
    _install(tmp_path / "checkout", "the checkout")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "checkout"))

    answers = [ask_worker("any", {}, scratch=tmp_path, timeout_s=60, python=who) for who in (python, None)]

    assert [answer.result for answer in answers] == [
        {"who": "the revision", "steered": []},
        {"who": "the checkout", "steered": ["PYTHONPATH"]},
    ]
