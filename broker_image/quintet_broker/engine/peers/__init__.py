"""Peers: what the brokers of a pool say to each other, over one connection from each to each."""
