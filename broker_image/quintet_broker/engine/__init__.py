"""Logs and cursors: what every kind of messaging is built of. Knows no protocol, no manifest, no Kubernetes."""
