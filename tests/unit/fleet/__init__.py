"""Tests of the fleet without Dask: queue, dispatch, lock, content, messages."""
