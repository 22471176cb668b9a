"""From the composited picture to NV12: one module a way, found by `registry`.

What is drawn before lives in `compositor`.
"""
