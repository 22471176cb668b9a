"""What this machine can do, found out by trying, and what to install for what it cannot.

Timing it lives in `harness`.
"""
