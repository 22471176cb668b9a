"""The measured process itself, started with `-m`, and how it is asked.

The only place of the harness that loads the pipeline.
"""
