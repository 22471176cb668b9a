"""Threads of an export in general: channels, groups, clocks, the watch on stalls, memory.

`stage_graph` has the threads of an export.
"""
