"""What this machine can do, found by trial exports, and what to install for what is missing.

Timing it lives in `harness`.
"""
