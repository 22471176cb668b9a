"""Without the extra everything but a fleet works, and a fleet says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_BLOCKED = "import sys; sys.modules['dask'] = sys.modules['distributed'] = None; "


def _python(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BLOCKED + script], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )


_VERBS = (("fleet", "status", "127.0.0.1:8786"), ("fleet", "scheduler"), ("run", "quick", "--fleet", "local:2"))
_TRY = """
import capbench, capbench.cli, capbench.fleet.dispatch.fleet_run
capbench.run
for verb in {verbs}:
    sys.argv = ["capbench", *verb]
    print(capbench.cli.run_app(), flush=True)
"""


def test_all_loads_without_and_a_fleet_says_what_to_install(tmp_path: Path) -> None:
    done = _python(_TRY.format(verbs=_VERBS), tmp_path)

    assert done.stdout == "4\n" * len(_VERBS), done.stderr
    assert [("distributed" in line) for line in done.stderr.splitlines()] == [True] * len(_VERBS)
    assert not list(tmp_path.rglob("matrix.json"))


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
