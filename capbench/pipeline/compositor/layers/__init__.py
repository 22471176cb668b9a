"""What each layer of a scene shows at a time. Drawing them lives in `overlay_pass`."""
