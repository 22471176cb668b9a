"""What is drawn: the scene on the canvas, and the pass that makes NV12 of it."""
