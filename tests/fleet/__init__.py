"""The fleet with real workers: `local:2`, and machines in network namespaces of their own."""
