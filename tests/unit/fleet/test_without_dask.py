"""Without the extra everything but a fleet works, and a fleet says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_BLOCKED = "import sys; sys.modules['dask'] = sys.modules['distributed'] = None; "


def _python(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BLOCKED + script], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize(
    "verb", ["'fleet', 'status', '127.0.0.1:8786'", "'fleet', 'scheduler'", "'run', 'quick', '--fleet', 'local:2'"]
)
def test_a_fleet_says_what_to_install(tmp_path: Path, verb: str) -> None:
    done = _python(f"sys.argv = ['capbench', {verb}]; from capbench.cli import main; main()", tmp_path)

    assert done.returncode == 4
    assert "distributed" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("matrix.json"))


def test_the_package_and_its_verbs_load_without(tmp_path: Path) -> None:
    done = _python(
        "import capbench, capbench.cli, capbench.fleet.dispatch.fleet_run; capbench.run; print('ok')", tmp_path
    )

    assert done.stdout == "ok\n", done.stderr


def test_no_verb_loads_dask_before_a_fleet_is_used(tmp_path: Path) -> None:
    script = "import capbench.cli, capbench.fleet.dispatch.dispatcher; print('distributed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", "import sys; " + script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert done.stdout == "False\n"
