"""What the operator makes in a cluster: pure functions from a resource to a manifest, a file per child."""
