"""What a scene should look like: frames and layers by the oracle."""
