"""The names of paths that matrix files know are the paths that the pipeline has."""

from __future__ import annotations

import pytest

from capbench.errors import InputError
from capbench.harness.matrix.table_values import known_paths
from capbench.pipeline.conversion import registry
from capbench.results.path_names import BUILT_IN_PATHS, PASSTHROUGH, path_names


def test_every_built_in_name_has_a_path_and_every_path_a_name() -> None:
    assert [*registry._BUILT_IN, PASSTHROUGH] == list(BUILT_IN_PATHS)
    assert len(set(BUILT_IN_PATHS)) == len(BUILT_IN_PATHS)


def test_matrix_files_take_what_the_option_takes() -> None:
    assert known_paths() == set(path_names())


@pytest.mark.parametrize("name", [name for name in BUILT_IN_PATHS if name != PASSTHROUGH])
def test_a_built_in_name_is_found(name: str) -> None:
    assert callable(registry.path_factory(name))


def test_an_unknown_name_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(InputError, match="available: cpu, gpu, gpu-fused, gpu-late, videotoolbox, passthrough"):
        registry.path_factory("gpux")
