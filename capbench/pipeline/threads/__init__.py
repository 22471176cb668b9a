"""Threads of an export in general: channels, groups, clocks, the watch on stalls, memory.

Which threads there are, says `stage_graph`.
"""
