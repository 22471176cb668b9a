"""Running a matrix: order, one run after another, the result folder.

Starting and measuring one process lives in `process`.
"""
