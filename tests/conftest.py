"""What every test may ask for: a GPU adapter, the real clips, and a cache of recordings that outlives one test run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from capbench.errors import AdapterError
from capbench.harness.machine.machine_lock import LOCK_VARIABLE

if TYPE_CHECKING:
    from capbench.pipeline.gpu.device import GpuContext

_REPOSITORY = Path(__file__).resolve().parent.parent
_STEERING_VARIABLES = ("CAP_GPU_FORMAT_CONVERSION", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS", "CI")
"""Environment variables that change what capbench, rich or typer do; tests set them where they are the subject."""

# The same examples in every run: whether a change passes must not depend on what is drawn that day. Others are tried by
# `--hypothesis-profile=default`. No limits of time: a busy machine is no fault.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`CAPBENCH_CACHE` for this test run: inside the checkout, kept between runs, never the user's own cache.

    The lock of the machine is one of this test process: tests measure nothing, and need not take turns.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in _STEERING_VARIABLES:
            patch.delenv(name, raising=False)
        folder = _REPOSITORY / ".capbench" / "test-cache"
        folder.mkdir(parents=True, exist_ok=True)
        patch.setenv("CAPBENCH_CACHE", str(folder))
        patch.setenv(LOCK_VARIABLE, str(tmp_path_factory.mktemp("machine-lock")))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let Ctrl-C reach the processes that tests start: a background job ignores it, and so would its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def gpu() -> Iterator[GpuContext]:
    """The device that an export would use, a software one included, shared by all tests.

    A test that opens its own device asks for it with `pytest.mark.usefixtures("gpu")`. Skips where there is no adapter;
    fails instead when `CAPBENCH_REQUIRE_GPU=1` promises one.
    """
    from capbench.pipeline.gpu.device import open_device  # the other tests need no GPU library

    try:
        context = open_device()
    except AdapterError as error:
        if os.environ.get("CAPBENCH_REQUIRE_GPU") == "1":
            pytest.fail(f"CAPBENCH_REQUIRE_GPU=1, but {error}")
        pytest.skip(str(error))
    yield context
    context.close()


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of the real clips that lie beside the checkout; skips where they are absent."""
    folder = _REPOSITORY.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip(f"real clips are absent: no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of the files that once went wrong, which lie beside the checkout; skips where they are absent."""
    folder = _REPOSITORY.parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip(f"the files that went wrong are absent: no folder {folder}")
    return folder
