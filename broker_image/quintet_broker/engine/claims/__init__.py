"""Claims: how a receive gets its records, by the ways in which records may be told apart. Pure."""
