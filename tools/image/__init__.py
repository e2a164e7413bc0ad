"""Makes the container images: `python -m tools.image`."""
