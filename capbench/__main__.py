"""`python -m capbench`."""

from capbench.cli import main

main()
