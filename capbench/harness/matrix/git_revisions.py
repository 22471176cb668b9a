"""Another git revision of capbench beside this one: its own work tree, its own environment, its own subjects."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from capbench.errors import InputError, UnavailableError
from capbench.files import describe_os_error, partial_path
from capbench.harness.machine.lock_beside import LOCK_SUFFIX, FolderInUseError, lock_beside
from capbench.harness.matrix.model import RunMatrix
from capbench.installation import environment_for
from capbench.results.subject_name import SubjectName

__all__ = ["add_revision", "build_revision", "resolve_revision"]

_CHECKOUT = Path(__file__).resolve().parents[3]
_BUILD_TIMEOUT_S = 1200.0
"""Installing the dependencies over a slow network."""
_WORK_TREE = "work-tree-"
"""Start of the names of the folders, one a run, that hold an environment of the work tree and its lock."""


@contextlib.contextmanager
def add_revision(
    matrix: RunMatrix,
    revision: str,
    *,
    checkout: Path = _CHECKOUT,
    cache: Path | None = None,
    says: Callable[[str], None] = lambda _line: None,
) -> Iterator[RunMatrix]:
    """The matrix with a second subject `NAME@REVISION` for every path and floor, run by that revision.

    Both revisions run from environments built the same way: the one of the work tree is built from its files as they
    are now, and removed when the body is done. Commands are not doubled: they do not depend on capbench; nor are
    capacity figures, which are never judged. Raises `InputError` for a revision that git does not know,
    `UnavailableError` where an environment cannot be built.
    """
    commit = resolve_revision(revision, checkout)
    folder = cache or platformdirs.user_cache_path("capbench") / "revisions"
    base_python = build_revision(commit, checkout=checkout, cache=folder, says=says)
    with _work_tree_environment(checkout, folder, says) as here_python:
        yield _with_twins(matrix, revision, commit, base_python=base_python, here_python=here_python)


def _with_twins(matrix: RunMatrix, revision: str, commit: str, *, base_python: Path, here_python: Path) -> RunMatrix:
    label = re.sub(r"[^A-Za-z0-9._+=-]+|--+", "_", revision)
    subjects, twins = [], {}
    for subject in matrix.subjects:
        if subject.command:
            subjects.append(subject)
            continue
        if not subject.writes_output:  # never in a verdict, and older revisions cannot do without an encoder
            subjects.append(subject.model_copy(update={"python": here_python}))
            continue
        twin = subject.model_copy(
            update={"name": str(SubjectName(subject.name, label)), "revision": commit, "python": base_python}
        )
        twins[subject.name] = twin.name
        subjects += [subject.model_copy(update={"python": here_python}), twin]
    cases = tuple(
        case.model_copy(
            update={
                "subjects": tuple(
                    name for own in case.subjects for name in ((own, twins[own]) if own in twins else (own,))
                )
            }
        )
        for case in matrix.cases
    )
    return matrix.model_copy(update={"cases": cases, "subjects": tuple(subjects)})


def resolve_revision(revision: str, checkout: Path = _CHECKOUT) -> str:
    """Full commit of a revision. Raises `InputError`, or `UnavailableError` where there is no git work tree."""
    if shutil.which("git") is None:
        raise UnavailableError("--against needs git, which is not on PATH")
    if _git(checkout, "rev-parse", "--git-dir").returncode != 0:
        raise UnavailableError(f"--against needs a git work tree of capbench; {checkout} is not one")
    done = _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode != 0:
        raise InputError(f"git knows no revision {revision!r} in {checkout}")
    return done.stdout.strip()


def build_revision(
    commit: str, *, checkout: Path, cache: Path, says: Callable[[str], None] = lambda _line: None
) -> Path:
    """Interpreter of the commit's own environment, built once. Raises `UnavailableError`."""
    target = cache / commit
    if not (python := _python_of(target)).exists():
        _make_cache(cache)
        with lock_beside(target, on_wait=lambda: says(f"waiting for another capbench that builds {commit[:12]}")):
            if not python.exists():  # unless the one that was waited for has built it
                says(f"building {commit[:12]} in its own environment; this is done once")
                _build_commit(commit, checkout, cache)
    return python


def _build_commit(commit: str, checkout: Path, cache: Path) -> None:
    """Call it with the commit locked: what is there already was left by a run that was killed."""
    work_tree = cache / f"{commit}.tree"
    for left in cache.glob(f".{commit}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        if work_tree.exists():
            _remove_tree(work_tree, checkout)
        added = _git(checkout, "worktree", "add", "--detach", "--force", str(work_tree), commit)
        if added.returncode != 0:
            raise UnavailableError(f"git cannot check out {commit[:12]}: {_last_line(added.stderr)}")
        _build(work_tree, cache / commit)
    finally:
        _remove_tree(work_tree, checkout)


def _remove_tree(work_tree: Path, checkout: Path) -> None:
    _git(checkout, "worktree", "remove", "--force", str(work_tree))
    shutil.rmtree(work_tree, ignore_errors=True)  # git does not remove what it had not finished, or does not know
    _git(checkout, "worktree", "prune")


@contextlib.contextmanager
def _work_tree_environment(checkout: Path, cache: Path, says: Callable[[str], None]) -> Iterator[Path]:
    """Interpreter of an environment with the work tree's files as they are now, removed when the body is done.

    Each run has its own: another one may be measuring with the files as they were. Raises `UnavailableError`.
    """
    _make_cache(cache)
    _remove_unused(cache)
    own = cache / f"{_WORK_TREE}{secrets.token_hex(8)}"
    with lock_beside(own):
        try:
            says("building the work tree in its own environment")
            _build(checkout, own / "environment")
            yield _python_of(own / "environment")
        finally:
            # What cannot be removed now keeps its lock's file, by which a later run finds it.
            shutil.rmtree(own, ignore_errors=True)


def _remove_unused(cache: Path) -> None:
    """Remove the environments of runs that were killed: their locks ended with them."""
    for lock in cache.glob(f"{_WORK_TREE}*{LOCK_SUFFIX}"):
        own = lock.with_name(lock.name.removesuffix(LOCK_SUFFIX))
        with contextlib.suppress(FolderInUseError), lock_beside(own):
            shutil.rmtree(own, ignore_errors=True)


def _make_cache(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"cannot make {cache} for environments: {describe_os_error(error)}") from error


def _build(source: Path, target: Path) -> None:
    """A virtual environment at `target` with the package at `source`; it has its name only once it is whole."""
    with partial_path(target) as partial:
        _must([sys.executable, "-m", "venv", str(partial)], "make a virtual environment")
        try:
            python = _python_of(partial)
            _must([str(python), "-m", "pip", "install", "--quiet", str(source)], f"install {source}", python)
        except BaseException:  # an interrupt too: nothing else removes a half-made environment
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _must(command: list[str], what: str, python: Path | None = None) -> None:
    # What lies on our PYTHONPATH counts as installed for pip, and would be absent when the environment is used.
    env = environment_for(python)
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False, env=env)
    if done.returncode != 0:
        raise UnavailableError(f"cannot {what}: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason was given")


def _git(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
