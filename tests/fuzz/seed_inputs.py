"""What is mutated: valid inputs of every kind, each of which capbench takes the whole way as it is."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.fuzz.seeds.clips import make_clips
from tests.fuzz.seeds.matrices import matrix_seeds
from tests.fuzz.seeds.media import export_seeds, playlist_seeds, validation_seeds
from tests.fuzz.seeds.messages import message_seeds
from tests.fuzz.seeds.results import bundle_seeds, gate_seeds, history_seeds, result_seeds
from tests.fuzz.seeds.scenes import composite_seeds, look_seeds, scene_seeds
from tests.fuzz.seeds.seed_input import SeedInput

__all__ = ["make_seed_inputs"]


def make_seed_inputs() -> list[SeedInput]:
    """All of them, in a fixed order. Takes some seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make_clips(folder)
        return [
            *export_seeds(clips),
            *validation_seeds(clips),
            *composite_seeds(folder, clips),
            *playlist_seeds(folder),
            *matrix_seeds(folder, clips),
            *scene_seeds(),
            *look_seeds(clips),
            *gate_seeds(folder),
            *result_seeds(folder),
            *history_seeds(),
            *bundle_seeds(folder),
            *message_seeds(),
        ]
