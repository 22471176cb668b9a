"""What lies over the recording: a cursor, a camera picture, and the blur of what moves, found by what differs from it."""
