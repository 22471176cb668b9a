"""A fleet: one matrix over many machines, on Dask. Only this package imports `dask` and `distributed`, an extra.

`workers/` is what runs on each machine, `dispatch/` is the runner's side. Nothing here imports av or wgpu: processes
of the machine do what needs them.
"""
