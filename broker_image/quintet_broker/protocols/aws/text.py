"""What text AWS takes: what XML can carry, since one of its protocols is XML."""

import re

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 cannot hold, in whatever form."""

_FIT = bytes([*b"\t\n\r", *range(0x20, 0x100)])
"""Bytes of UTF-8 that occur in characters which XML can hold."""
_NO_CHARACTERS = "\ufffe".encode(), "\uffff".encode()


def fits_xml(text: bytes) -> bool:
    """Whether XML can hold a text in UTF-8: as NOT_XML finds nothing, in a tenth of the time."""
    if text.translate(None, _FIT):
        return False
    return text.isascii() or not any(character in text for character in _NO_CHARACTERS)
