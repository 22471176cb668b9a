"""Heaps of glibc's malloc, in a process of its own: it is a setting for good."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_COUNT_HEAPS = """
import ctypes, sys, threading, xml.etree.ElementTree as tree
from capbench.malloc_arenas import limit_malloc_arenas

limited = limit_malloc_arenas() if sys.argv[1] == "limited" else None
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.open_memstream.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
ready = threading.Barrier(9)

def take():
    libc.malloc(1000)
    ready.wait()  # nobody ends before all have a heap: a heap without a thread is given to the next

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
text, size = ctypes.c_char_p(), ctypes.c_size_t()
file = libc.open_memstream(ctypes.byref(text), ctypes.byref(size))
libc.malloc_info(0, file)
libc.fclose(file)
print(limited, len(tree.fromstring(text.value).findall("heap")))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_threads_share_the_heaps_of_a_limited_process() -> None:
    def heaps(how: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _COUNT_HEAPS, how], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.split()

    assert heaps("limited") == ["True", "2"]
    assert int(heaps("default")[1]) > 2
