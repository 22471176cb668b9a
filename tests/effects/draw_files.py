"""Draws looks into files beside their parameters, once: measuring again needs no drawing.

python -m tests.effects.draw_files FOLDER [--right N] [--faults N] [--first SEED]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from capbench.quality.reading.clip import Clip
from capbench.quality.reading.planes import Planes, planes_of
from tests.effects.oracle_drawing import draw_look
from tests.effects.planted_faults import FAULTS, PlantedLook, planted
from tests.effects.seeded_looks import CAMERA_FRAMES, LOOK_FRAMES, asked_look, scene_of, seeded_look
from tests.effects.sources import camera_file, encode, screen_source

__all__ = ["camera_folder", "draw_fault", "draw_planted", "draw_right", "source_file"]


def camera_folder(folder: Path) -> Path:
    """A camera recording, the same one frozen at its first frame, and late by three."""
    cameras = folder / "cameras"
    cameras.mkdir(parents=True, exist_ok=True)
    if not (cameras / "late.mp4").is_file():
        made = camera_file(240, CAMERA_FRAMES, 1, folder / "media")
        (cameras / "camera.mp4").write_bytes(made.read_bytes())
        frames = [Planes(*(plane.copy() for plane in planes_of(frame).all)) for frame in Clip(made).frames()]
        encode([frames[0]] * CAMERA_FRAMES, cameras / "frozen.mp4", crf=12)
        encode([frames[0]] * 3 + frames[:-3], cameras / "late.mp4", crf=12)
    return cameras


def source_file(folder: Path, seed: int) -> Path:
    """The screen recording of a seed."""
    return screen_source(640, 360, LOOK_FRAMES, seed, folder / "media").path


def draw_planted(one: PlantedLook, folder: Path, path: Path) -> Path:
    """Draw a look into the file at `path`; returns the recording that it shows, which lies in the folder."""
    drawn = one.drawn
    source = screen_source(640, 360, LOOK_FRAMES, drawn.source_seed, folder / "media")
    draw_look(scene_of(drawn), source, drawn.canvas, path, crf=drawn.crf, shutter=drawn.shutter, scene_at=one.scene_at)
    return source.path


def draw_right(folder: Path, seed: int) -> Path:
    """The file of a right look; its parameters lie beside it."""
    look = seeded_look(seed, camera_folder(folder) / "camera.mp4")
    return _kept(folder / "right" / f"{look.name}.mp4", PlantedLook(look, look), "", folder)


def draw_fault(folder: Path, number: int, seed: int) -> Path:
    """The file of a look with the fault of that number."""
    fault = FAULTS[number]
    one = planted(fault, seed, camera_folder(folder))
    return _kept(folder / "faults" / f"{one.drawn.name}.mp4", one, fault.name, folder)


def _kept(path: Path, one: PlantedLook, fault: str, folder: Path) -> Path:
    if not path.with_suffix(".json").is_file():
        path.parent.mkdir(exist_ok=True)
        source = draw_planted(one, folder, path)
        facts = {"asked": asked_look(one.asked), "drawn": asdict(one.drawn), "fault": fault, "source": str(source)}
        path.with_suffix(".json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return path


def main() -> None:
    """Draw what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--right", type=int, default=100)
    parser.add_argument("--faults", type=int, default=1, help="looks of each kind of fault")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    for turn in range(max(options.right, options.faults * len(FAULTS))):
        if turn < options.right:
            sys.stderr.write(f"{draw_right(options.folder, options.first + turn)}\n")
        if turn < options.faults * len(FAULTS):
            number, again = turn % len(FAULTS), turn // len(FAULTS)
            seed = 7000 + 100 * options.first + 50 * again + number
            sys.stderr.write(f"{draw_fault(options.folder, number, seed)}\n")


if __name__ == "__main__":
    main()
