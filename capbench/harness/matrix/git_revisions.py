"""Another git revision of capbench beside this one: its own work tree, its own environment, its own subjects."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs

from capbench.errors import InputError, UnavailableError
from capbench.files import partial_path
from capbench.harness.matrix.model import RunMatrix
from capbench.installation import environment_for
from capbench.results.subject_name import SubjectName

__all__ = ["add_revision", "build_revision", "resolve_revision"]

_CHECKOUT = Path(__file__).resolve().parents[3]
_BUILD_TIMEOUT_S = 1200.0
"""Installing the dependencies over a slow network."""


def add_revision(
    matrix: RunMatrix,
    revision: str,
    *,
    checkout: Path = _CHECKOUT,
    cache: Path | None = None,
    says: Callable[[str], None] = lambda _line: None,
) -> RunMatrix:
    """The matrix with a second subject `NAME@REVISION` for every path and floor, run by that revision.

    Both revisions run from environments built the same way: the one of the work tree is built from its files as they
    are now. Commands are not doubled: they do not depend on capbench; nor are capacity figures, which are never judged.
    Raises `InputError` for a revision that git does not know, `UnavailableError` where an environment cannot be built.
    """
    commit = resolve_revision(revision, checkout)
    folder = cache or platformdirs.user_cache_path("capbench") / "revisions"
    base_python = build_revision(commit, checkout=checkout, cache=folder, says=says)
    here_python = _build_work_tree(checkout, folder, says)
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
        says(f"building {commit[:12]} in its own environment; this is done once")
        work_tree = cache / f"{commit}.tree"
        if not work_tree.exists():
            cache.mkdir(parents=True, exist_ok=True)
            added = _git(checkout, "worktree", "add", "--detach", "--force", str(work_tree), commit)
            if added.returncode != 0:
                raise UnavailableError(f"git cannot check out {commit[:12]}: {_last_line(added.stderr)}")
        try:
            _build(work_tree, target)
        finally:
            _git(checkout, "worktree", "remove", "--force", str(work_tree))
    return python


def _build_work_tree(checkout: Path, cache: Path, says: Callable[[str], None]) -> Path:
    """Interpreter of an environment with the work tree's files as they are now; rebuilt each time, they change."""
    says("building the work tree in its own environment")
    target = cache / "work-tree"
    if target.exists():
        shutil.rmtree(target)
    _build(checkout, target)
    return _python_of(target)


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
