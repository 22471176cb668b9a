"""One measured process: spawned, sampled, ended. Which process, and what its figures mean, lives in `run`."""
