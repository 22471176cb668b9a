"""A browser for the tests of the page.

Needs Playwright for Python and a Chromium of the system (`/usr/bin/chromium`, or its path in CAPBENCH_CHROMIUM). The
accessibility rules are those of axe-core, fetched once by npm into `.capbench/`. What is absent skips with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_AXE = "axe-core@4.14.1"
_FLAGS = [
    "--no-sandbox",  # containers run as root, where Chromium's sandbox cannot start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

Open = Callable[..., Any]


@contextmanager
def started_browser() -> Iterator[Any]:
    """Headless Chromium with a new profile. Raises `FileNotFoundError` where there is none."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CAPBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise FileNotFoundError("no Chromium; on Debian: apt-get install chromium, or name one in CAPBENCH_CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, headless=True, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser of all tests; skips where it cannot be had."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    try:
        with started_browser() as started:
            yield started
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page and fails the test if it says anything on the console, throws, or asks for anything but itself.

    Its own are also the pictures and outputs that lie beside it in the folders of a result.
    """
    noise: list[str] = []
    contexts: list[Any] = []

    def open_page(
        name: str, *, viewport: dict[str, int] | None = None, scheme: str = "light", has_touch: bool = False
    ) -> Any:
        context = browser.new_context(
            viewport=viewport or DESKTOP, color_scheme=scheme, reduced_motion="reduce", has_touch=has_touch
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: _refuse(dialog, noise))
        own = pages[name].as_uri()
        page.on("request", lambda request: _expect_own(request.url, own, noise))
        page.goto(own)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noise == []


def _expect_own(url: str, own: str, noise: list[str]) -> None:
    beside = tuple(f"{own.rpartition('/')[0]}/{folder}/" for folder in ("frames", "outputs"))
    if not url.startswith(("data:", *beside)) and url.partition("#")[0] != own:
        noise.append(f"request: {url}")


def _refuse(dialog: Any, noise: list[str]) -> None:
    noise.append(f"dialog: {dialog.message}")
    dialog.dismiss()


@pytest.fixture(scope="session")
def axe() -> str:
    """Source of axe-core, fetched once by npm into `.capbench/`; skips where it cannot be had."""
    folder = _REPOSITORY / ".capbench" / "axe-core"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm, so axe-core cannot be fetched; on Debian: apt-get install npm")
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", _AXE]
        done = subprocess.run(install, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"npm could not fetch {_AXE}: {done.stderr.strip()[-200:]}")
    return source.read_text(encoding="utf-8")
