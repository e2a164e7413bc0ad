"""Our own protocol, for clients that keep a connection: docs/protocol.md specifies it."""
