"""A subject of known behaviour: uses so many CPU seconds, touches so many megabytes, then copies the source.

`python tests/bench/spin.py SOURCE OUTPUT CPU_S MEGABYTES`
"""

from __future__ import annotations

import shutil
import sys
import time

source, output, cpu_s, megabytes = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
memory = bytearray(megabytes * 1_000_000)
memory[::4096] = b"x" * len(memory[::4096])
# The clock that is asked counts user and kernel time of this process alone.
while time.process_time() < cpu_s:
    for _ in range(1000):
        pass
shutil.copyfile(source, output)
