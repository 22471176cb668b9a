"""The error tree is as its module draws it."""

from __future__ import annotations

import re

import pytest

from capbench import errors

_DRAWN = {
    match["name"]: match
    for match in re.finditer(
        r"^(?P<indent>[│├└─ ]*)(?P<name>\w+Error)(?: \((?P<builtin>\w+)\))?(?:\s+exit (?P<code>\d+))?",
        errors.__doc__ or "",
        re.MULTILINE,
    )
}


def test_the_drawing_has_every_error_and_no_other() -> None:
    assert sorted(_DRAWN) == sorted(errors.__all__)


@pytest.mark.parametrize("name", sorted(_DRAWN))
def test_an_error_is_what_the_drawing_says(name: str) -> None:
    drawn, kind = _DRAWN[name], getattr(errors, name)

    assert issubclass(kind, errors.CapbenchError)
    assert kind.__doc__
    if drawn["builtin"]:
        assert drawn["builtin"] in {base.__name__ for base in kind.__mro__}
    if drawn["code"]:
        assert kind.exit_code == int(drawn["code"])


@pytest.mark.parametrize("name", sorted(_DRAWN))
def test_an_error_stands_under_its_parent(name: str) -> None:
    depth = {drawn: len(match["indent"]) for drawn, match in _DRAWN.items()}
    names = list(_DRAWN)
    above = [other for other in names[: names.index(name)] if depth[other] < depth[name]]
    parent = getattr(errors, above[-1]) if above else Exception

    assert parent in getattr(errors, name).__mro__


def test_a_damaged_stream_fails_the_check_and_not_the_command_line() -> None:
    error = errors.DamagedStreamError("broken", good_frames=28, good_until_s=0.9)

    assert (error.exit_code, error.good_frames, error.good_until_s) == (1, 28, 0.9)


def test_a_pipeline_error_names_stage_and_frame() -> None:
    error = errors.StallError("encode waited 60 s", stage="encode", frame=7)

    assert (str(error), error.stage, error.frame) == ("encode waited 60 s", "encode", 7)
