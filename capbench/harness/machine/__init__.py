"""The machine as it is read around runs: what it is, what disturbs it, what its GPU says. Runs live in `run`."""
