"""Copy a clip's pictures by OpenCV as its documentation shows it: `run_opencv.py SOURCE OUTPUT FOURCC`. Needs no more.

It has no sound and knows one rate: the sound of the source is added by mkvmerge where there is any.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2  # type: ignore[import-not-found]

_WARNED = 1
"""What mkvmerge ends with where it wrote the file and has something to say."""

source, output, fourcc = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    silent = str(Path(folder) / "silent.mkv")
    capture = cv2.VideoCapture(source)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(silent, cv2.VideoWriter_fourcc(*fourcc), capture.get(cv2.CAP_PROP_FPS), size)
    if not writer.isOpened():
        sys.exit(f"OpenCV writes no {fourcc}")
    while True:
        was_read, picture = capture.read()
        if not was_read:
            break
        writer.write(picture)
    writer.release()
    code = subprocess.run(["mkvmerge", "-q", "-o", output, silent, "--no-video", source], check=False).returncode
    sys.exit(0 if code == _WARNED else code)
