"""The scene on the canvas: geometry, background, layers, as GPU passes. Converting the result lives in `conversion`."""
