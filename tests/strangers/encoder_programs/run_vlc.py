"""Transcode a clip by VLC, as another user where this is root: `run_vlc.py SOURCE OUTPUT CHAIN MUX`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_NOBODY = 65534
"""The user who owns nothing, on Debian."""


def main() -> int:
    """Exit code of VLC, or 1 where it wrote nothing."""
    source, output, chain, mux = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, made = folder / f"in{Path(source).suffix}", folder / f"out{Path(output).suffix}"
        shutil.copyfile(source, given)
        is_root = os.geteuid() == 0
        if is_root:
            for path in (folder, given):
                os.chown(path, _NOBODY, _NOBODY)
        sout = f"#transcode{{{chain}}}:std{{access=file,mux={mux},dst={made}}}"
        done = subprocess.run(
            ["vlc", "-I", "dummy", "-q", "--no-repeat", given, "--sout", sout, "vlc://quit"],
            env={**os.environ, "HOME": name},
            stdin=subprocess.DEVNULL,
            user=_NOBODY if is_root else None,
            group=_NOBODY if is_root else None,
            extra_groups=[] if is_root else None,
            check=False,
        )
        if done.returncode == 0 and made.is_file():
            shutil.copyfile(made, output)
            return 0
    return done.returncode or 1


if __name__ == "__main__":
    sys.exit(main())
