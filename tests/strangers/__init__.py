"""Other people's exporters on other people's clips: how often validation is wrong about files that nobody here made."""
