"""What is kept for clusters, outside the checkout."""

from tools.cache import home

HOME = home()
BIN = HOME / "bin"
"""Programs."""
KIND = HOME / "kind"
"""What nodes are made of."""
