"""Where the recording lies in an output picture: found anywhere, then registered to a fraction of a pixel."""
