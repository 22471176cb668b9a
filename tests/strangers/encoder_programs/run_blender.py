"""Export a clip by Blender's video sequencer, which has a Python of its own.

    blender -b --factory-startup --python-exit-code 1 --python run_blender.py -- SOURCE OUTPUT W H N D FRAMES SOUND

W and H are the size, N/D is the rate, SOUND is `sound` or `silent`. By default colours go through a view transform for
rendered films.
"""

from __future__ import annotations

import sys

import bpy  # type: ignore[import-not-found]

source, output, *numbers, sound = sys.argv[sys.argv.index("--") + 1 :]
width, height, rate, base, frames = map(int, numbers)
scene = bpy.context.scene
render = scene.render
render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
# 30000/1001 is 30 over 1.001, as Blender's own presets have it.
render.fps = -(-rate // base)
render.fps_base = render.fps * base / rate
scene.view_settings.view_transform = "Standard"
editor = scene.sequence_editor_create()
editor.sequences.new_movie("picture", source, 1, 1)
if sound == "sound":
    editor.sequences.new_sound("sound", source, 2, 1)
scene.frame_start, scene.frame_end = 1, frames
render.image_settings.file_format = "FFMPEG"
render.ffmpeg.format, render.ffmpeg.codec, render.ffmpeg.constant_rate_factor = "MKV", "H264", "PERC_LOSSLESS"
render.ffmpeg.audio_codec, render.ffmpeg.audio_mixrate = ("FLAC" if sound == "sound" else "NONE"), 48000
render.use_file_extension = False
render.filepath = output
bpy.ops.render.render(animation=True)
