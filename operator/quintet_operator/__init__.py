"""The operator: turns resources into children and into a topology."""
