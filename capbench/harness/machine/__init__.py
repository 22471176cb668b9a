"""The machine around runs: its description, disturbances, GPU telemetry. Runs live in `run`."""
