"""The layers of a scene: what each one looks like at a time. `compositor` draws them."""
