"""Expanding a matrix: what defaults, cases, products and overrides say reaches each case, in one precedence."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capbench.harness.matrix.expand import expand_matrix
from capbench.harness.matrix.toml_file import MatrixFile

_MAIN = Path("/matrix/main.toml")
_SETTINGS = {
    "blocks": st.integers(1, 50),
    "settle_s": st.floats(0, 100),
    "timeout_s": st.floats(1, 100),
    "width": st.integers(1, 100).map(lambda half: 2 * half),
    "warmup": st.booleans(),
    "scene": st.sampled_from(["bare", "studio", "framed"]),
}
_BUILT_IN = {"blocks": 5, "settle_s": 0.5, "timeout_s": 900.0, "width": None, "warmup": True, "scene": "bare"}
_said = st.fixed_dictionaries({}, optional=_SETTINGS)
_names = st.lists(st.sampled_from(["a", "b", "4k", "hls-long", "x.y_z"]), min_size=1, max_size=4, unique=True)
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
"""A busy machine takes the time that it takes."""


def _expand(values: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    matrix = expand_matrix(_MAIN, {_MAIN: MatrixFile.model_validate(values)}, frozenset({"cpu", "gpu"}))
    return [(case.name, {name: getattr(case, name) for name in _SETTINGS}) for case in matrix.cases]


@_unhurried
@given(names=_names, defaults=_said, own=_said, override=_said, data=st.data())
def test_the_last_word_on_a_setting_wins(
    names: list[str],
    defaults: dict[str, object],
    own: dict[str, object],
    override: dict[str, object],
    data: st.DataObject,
) -> None:
    """Built in, then defaults, then the case's own, then overrides that match it."""
    changed = data.draw(st.sampled_from(names))
    cases = [{"name": name, "recording": "1080p-1min", **own} for name in names]

    expanded = _expand({"defaults": defaults, "case": cases, "override": [{"case": changed, **override}]})

    assert expanded == [
        (name, {**_BUILT_IN, **defaults, **own, **(override if name == changed else {})}) for name in names
    ]


@_unhurried
@given(
    qps=st.lists(st.integers(0, 63), min_size=1, max_size=5, unique=True),
    heights=st.lists(st.integers(1, 99).map(lambda half: 2 * half), min_size=1, max_size=4, unique=True),
    has_name=st.booleans(),
)
def test_a_product_makes_each_combination_once(qps: list[int], heights: list[int], *, has_name: bool) -> None:
    table = {"recording": "1080p-1min", "product": {"qp": qps, "height": heights}} | ({"name": "a"} if has_name else {})

    matrix = expand_matrix(_MAIN, {_MAIN: MatrixFile.model_validate({"case": [table]})}, frozenset({"cpu", "gpu"}))

    prefix = "a-" if has_name else ""
    assert [(case.name, case.qp, case.height) for case in matrix.cases] == [
        (f"{prefix}qp={qp}-height={height}", qp, height) for qp, height in itertools.product(qps, heights)
    ]


@_unhurried
@given(names=_names, globs=st.lists(st.sampled_from(["*", "a*", "gpu", "cpu", "floor", "g?u"]), max_size=3))
def test_a_selection_is_part_of_the_matrix_in_its_order(names: list[str], globs: list[str]) -> None:
    values = {
        "case": [{"name": name, "recording": "1080p-1min", "subjects": ["gpu", "floor", "cpu"]} for name in names]
    }
    matrix = expand_matrix(_MAIN, {_MAIN: MatrixFile.model_validate(values)}, frozenset({"cpu", "gpu"}))
    wanted = [glob for glob in globs if glob != "a*"]

    chosen = matrix.select((), wanted)

    kept = [
        name
        for name in ("gpu", "floor", "cpu")
        if not wanted or "*" in wanted or name in wanted or ("g?u" in wanted and name == "gpu")
    ]
    assert [case.name for case in chosen.cases] == names
    assert {case.subjects for case in chosen.cases} == {tuple(kept)}
    assert {subject.name for subject in chosen.subjects} == set(kept)
