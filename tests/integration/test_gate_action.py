"""The composite action's own scripts, executed by bash as a runner would, with a `capbench` that only takes notes."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from capbench.report.formats.ci.pull_request import COMMENT_MARK

_ACTION = Path(__file__).resolve().parents[2] / ".github" / "actions" / "gate" / "action.yml"
_STEP = re.compile(
    r"^    - name: (?P<name>\w+)\n(?:.*\n)*?      run: \|\n(?P<script>(?:        .*\n|\n)+)", re.MULTILINE
)

pytestmark = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="the action's scripts are bash")


def script_of(step: str) -> str:
    """Text of a step's `run: |`."""
    found = {match["name"]: match["script"] for match in _STEP.finditer(_ACTION.read_text(encoding="utf-8"))}
    return re.sub(r"^        ", "", found[step], flags=re.MULTILINE)


def execute(
    step: str, folder: Path, exit_code: int, *, program: str = "capbench", says: str = "", **variables: str
) -> tuple[int, str, dict[str, str]]:
    """Exit code of the step, what the replaced `program` was called with, and the step's outputs."""
    fake = folder / "bin" / program
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(f'#!/bin/bash\necho "$*" >> "{folder}/calls"\necho "{says}"\nexit {exit_code}\n', encoding="utf-8")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(folder / "output"),
        "RUNNER_TEMP": str(folder),
        "GATES": "",
        "BASE": "",
        "NEW": "",
        "AGAINST": "",
        "BASE_REF": "",
        "BUDGET": "9m",
        "MATRIX": "quick",
        **variables,
    }
    (folder / "output").write_text("", encoding="utf-8")
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script_of(step)],
        cwd=_ACTION.parent,
        env=environment,
        check=False,
        capture_output=True,
    )
    calls = folder / "calls"
    outputs = dict(line.split("=", 1) for line in (folder / "output").read_text(encoding="utf-8").splitlines())
    return ended.returncode, calls.read_text(encoding="utf-8") if calls.exists() else "", outputs


@pytest.mark.parametrize(
    ("install", "options"),
    [(".", "--editable .[vmaf]"), ("git+https://example.org/c.git", "capbench[vmaf] @ git+https://example.org/c.git")],
)
def test_a_work_tree_is_installed_so_that_its_revisions_can_be_found(
    tmp_path: Path, install: str, options: str
) -> None:
    """A copy in site-packages has no history, and `--against` would end with 4."""
    code, calls, _ = execute("Install", tmp_path, 0, program="python", INSTALL=install, RUNNER_OS="macOS")

    assert code == 0
    assert calls == f"-m pip install --quiet {options}\n"


def test_the_revision_that_the_action_is_part_of_is_installed_by_default(tmp_path: Path) -> None:
    checkout = _ACTION.parents[3]

    code, calls, _ = execute(
        "Install", tmp_path, 0, program="python", INSTALL="", RUNNER_OS="macOS", GITHUB_ACTION_PATH=str(_ACTION.parent)
    )

    assert (code, calls) == (0, f"-m pip install --quiet --editable {checkout}[vmaf]\n")


@pytest.mark.parametrize("install", ["", "capbench", "capbench==1.0", "capbench[nvml]"])
def test_no_index_is_asked_for_the_name(tmp_path: Path, install: str) -> None:
    """Nobody has published it there: whoever registers it would run in users' CI. Empty: the action was copied."""
    copied = tmp_path / "theirs" / ".github" / "actions" / "gate"
    copied.mkdir(parents=True)

    code, calls, _ = execute(
        "Install", tmp_path, 0, program="python", INSTALL=install, RUNNER_OS="macOS", GITHUB_ACTION_PATH=str(copied)
    )

    assert (code, calls) == (2, "")


@pytest.mark.parametrize(("exit_code", "step_code"), [(0, 0), (1, 0), (3, 0), (2, 2), (4, 4)])
def test_a_run_stops_the_job_only_where_nothing_was_measured(tmp_path: Path, exit_code: int, step_code: int) -> None:
    code, calls, _ = execute("Run", tmp_path, exit_code, BASE="main", GATES="a b.toml")

    assert code == step_code
    assert calls == f"run quick --until-decided --budget 9m --out {tmp_path}/capbench --gates a b.toml\n"


@pytest.mark.parametrize("way", ["slices", "runs"])
def test_how_subjects_take_turns_is_handed_on(tmp_path: Path, way: str) -> None:
    _, calls, _ = execute("Run", tmp_path, 0, BASE="main", INTERLEAVE=way)

    assert calls == f"run quick --until-decided --budget 9m --out {tmp_path}/capbench --interleave {way}\n"


def test_how_subjects_are_scheduled_is_handed_on(tmp_path: Path) -> None:
    _, calls, _ = execute("Run", tmp_path, 0, BASE="main", SCHEDULING="realtime")

    assert calls == f"run quick --until-decided --budget 9m --out {tmp_path}/capbench --scheduling realtime\n"


def test_without_subjects_the_revision_is_measured_beside(tmp_path: Path) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=_ACTION.parent, capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("not a git checkout")

    code, calls, outputs = execute("Run", tmp_path, 0, AGAINST="HEAD")

    assert code == 0
    assert outputs["against"] == head.stdout.strip()
    assert calls.rstrip().endswith(f"--against {head.stdout.strip()}")


@pytest.mark.parametrize(
    ("variables", "sides"),
    [
        ({"BASE": "main", "NEW": "branch"}, "{folder}:main {folder}:branch"),
        ({"AGAINST": "abc"}, "{folder}:@abc {folder}"),
    ],
)
def test_the_comparison_hands_on_verdict_and_exit_code(tmp_path: Path, variables: dict[str, str], sides: str) -> None:
    (tmp_path / "comparison.json").write_text(json.dumps({"verdict": "worse"}), encoding="utf-8")

    code, calls, outputs = execute("Compare", tmp_path, 1, FOLDER=str(tmp_path), **variables)

    assert code == 0, "the last step decides, after results and comment are out"
    assert calls.startswith(f"compare {sides.format(folder=tmp_path)} --github --json")
    assert outputs == {"verdict": "worse", "code": "1"}


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("", "api --silent repos/me/it/issues/7/comments --field"),
        ("12", "api --silent --method PATCH repos/me/it/issues/comments/12 --field"),
        ("12\n34", "api --silent --method PATCH repos/me/it/issues/comments/34 --field"),
    ],
)
def test_the_comment_of_the_run_before_is_replaced_and_no_other(tmp_path: Path, known: str, asked: str) -> None:
    code, calls, _ = execute(
        "Comment", tmp_path, 0, program="gh", says=known, REPOSITORY="me/it", NUMBER="7", FOLDER=str(tmp_path)
    )

    search, written = calls.splitlines()
    assert code == 0
    assert f'startswith("{COMMENT_MARK}")' in search
    assert '.user.login == "github-actions[bot]"' in search
    assert written == f"{asked} body=@{tmp_path}/comment.md"


def test_no_input_is_pasted_into_a_script() -> None:
    text = _ACTION.read_text(encoding="utf-8")

    assert not [match["name"] for match in _STEP.finditer(text) if "${{" in match["script"]]
