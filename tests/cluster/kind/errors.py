"""Why there is no cluster."""


class Unavailable(Exception):
    """This machine lacks something; the message says what."""
