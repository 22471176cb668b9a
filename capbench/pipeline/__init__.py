"""The reference export pipeline: decode, composite on the GPU, convert to NV12, read back, encode, mux."""
