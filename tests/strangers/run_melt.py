"""Start MLT's melt with a profile of the clip's own size, rate and matrix: its own default is PAL.

python -m tests.strangers.run_melt SOURCE OUTPUT WIDTH HEIGHT RATE_NUMERATOR RATE_DENOMINATOR MATRIX OPTION...
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from math import gcd
from pathlib import Path

_PROFILE = """\
description=the clip's own
frame_rate_num={rate[0]}
frame_rate_den={rate[1]}
width={width}
height={height}
progressive=1
sample_aspect_num=1
sample_aspect_den=1
display_aspect_num={aspect[0]}
display_aspect_den={aspect[1]}
colorspace={matrix}
"""


def main() -> int:
    """Exit code of melt, or 1 where it wrote nothing."""
    source, output, width, height, *rate, matrix = sys.argv[1:8]
    divisor = gcd(int(width), int(height))
    text = _PROFILE.format(
        rate=rate,
        width=width,
        height=height,
        aspect=(int(width) // divisor, int(height) // divisor),
        matrix=matrix,
    )
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile"
        profile.write_text(text, encoding="utf-8")
        # It links a toolkit that looks for a display.
        done = subprocess.run(
            [
                *("melt", "-silent", "-profile", profile, source),
                *("-consumer", f"avformat:{output}", "real_time=-1", "terminate_on_pause=1", *sys.argv[8:]),
            ],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    return done.returncode or not Path(output).is_file()


if __name__ == "__main__":
    sys.exit(main())
