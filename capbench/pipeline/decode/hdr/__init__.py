"""High dynamic range: what a source says of it, and which kinds are refused."""
