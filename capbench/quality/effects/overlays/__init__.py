"""What lies over the recording, a cursor and a camera picture, and the blur of what moves."""
