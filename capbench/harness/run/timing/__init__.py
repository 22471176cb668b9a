"""Timing one subject once: a path of the pipeline in a worker, or a command, and the fields of its run."""
