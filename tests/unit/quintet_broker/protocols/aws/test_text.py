"""What XML can carry, found by its bytes as by its characters."""

from hypothesis import given
from hypothesis import strategies as st

from quintet_broker.protocols.aws.text import NOT_XML, fits_xml

odd = st.sampled_from("\x00\t\n\r\x1f\x20\x7f\x80é\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0001fffe\U0010ffff")


@given(st.text(odd | st.characters(codec="utf-8"), max_size=20))
def test_bytes_tell_the_same_as_characters(text: str) -> None:
    assert fits_xml(text.encode()) == (NOT_XML.search(text) is None)
