"""The HTML page: one file, no network, a strict content security policy."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from capbench.gate.judged_metrics import quality_unit
from capbench.report.capacity import rate_words
from capbench.report.palette import DARK, LIGHT
from capbench.report.wording import (
    MISSING,
    TIMES,
    bytes_words,
    effect_words,
    interval_words,
    margin_words,
    metric_words,
    number_words,
    seconds_words,
    shorten,
    value_words,
)
from capbench.results.visible_text import visible

__all__ = ["render_page"]

_SYMBOLS = {
    "better": "\u2713",
    "worse": "\u2715",
    "same": "=",
    "undecided": "?",
    "invalid": "!",
    "not_applicable": MISSING,
}
_CHECK_SYMBOLS = {"pass": "\u2713", "fail": "\u2715", "unchecked": "?", "not_applicable": MISSING}


def render_page(template: str, values: Mapping[str, object], *, loads_files: bool = False) -> str:
    """Render a template with the shared style and script; every value is escaped, whatever it is called.

    The policy admits only the page's own style and script, by their SHA-256 (CSP level 3, section 2.3.1), and pictures
    that lie in the page; with `loads_files` also pictures and videos that lie beside it.
    """
    environment = _environment()
    style = _read(environment, "page.css").replace("/*tokens*/", _tokens()) + _read(environment, "viewer.css")
    script = _read(environment, "page.js") + _read(environment, "viewer.js")
    # From disk a file is not of the page's own origin in every browser, so the scheme is named; HTTP gains nothing.
    beside = " 'self' file:; media-src 'self' file:" if loads_files else ""
    policy = (
        f"default-src 'none'; img-src data:{beside}; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return environment.get_template(template).render(
        **values,
        policy=policy,
        style=Markup(style),  # noqa: S704  our own file
        script=Markup(script),  # noqa: S704  our own file
        symbols=_SYMBOLS,
        check_symbols=_CHECK_SYMBOLS,
        missing=MISSING,
        times=TIMES,
    )


@functools.cache
def _environment() -> Environment:
    """The templates, each compiled once a process: it takes a tenth of a second, and a history has many pages."""
    environment = Environment(
        loader=PackageLoader("capbench.report"),
        autoescape=select_autoescape(enabled_extensions=("j2",), default=True),
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rate": rate_words,
        "bytes": bytes_words,
        "effect": effect_words,
        "interval": interval_words,
        "in_unit": value_words,
        "margin": margin_words,
        "metric": metric_words,
        "number": number_words,
        "quality_unit": quality_unit,
        "seconds": seconds_words,
        "shorten": shorten,
    }
    return environment


def _finalize(value: object) -> object:
    """Whatever a template prints: text from outside must not turn the text around it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _read(environment: Environment, name: str) -> str:
    loader = environment.loader
    assert loader is not None
    return loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _tokens() -> str:
    """The colour tokens as CSS: light, dark by preference, and both by choice; print is always light."""

    def declare(theme: Mapping[str, str]) -> str:
        return "".join(f"--{token}:{colour};" for token, colour in theme.items())

    light, dark = declare(LIGHT), declare(DARK)
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
    )
