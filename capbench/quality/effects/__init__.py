"""Effects measured from the picture, for outputs whose look is not a scene of ours.

`placing/` finds where the recording lies in each output frame. `measure_effects` hands every frame, with that, to one
meter an effect (`effect_registry`), each of which compares what it measured with what was asked and returns findings.
"""
