"""The expected pictures of an export of a scene, frame by frame, computed with `oracle`."""
