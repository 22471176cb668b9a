"""The measured process itself, started with `-m`, and the client that sends it jobs.

The only place of the harness that loads the pipeline.
"""
