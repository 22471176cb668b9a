"""The frame around a recording at rest: corners, shadow and background, each from one picture."""
