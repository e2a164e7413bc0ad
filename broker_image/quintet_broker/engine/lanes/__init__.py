"""Logs and cursors, and what of a log is held and in which order it goes out."""
