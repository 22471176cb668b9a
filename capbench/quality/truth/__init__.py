"""What an export of a scene should look like, frame by frame, put together from the arithmetic of `oracle`."""
