"""The names of what is made once."""

from pathlib import Path

from tools.cache import contents, digest


def test_a_digest_tells_what_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    before = digest(contents(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = digest(contents(tmp_path))
    (tmp_path / "b").write_text("two")
    assert len({before, renamed, digest(contents(tmp_path))}) == 3
    assert digest(["ab", "c"]) != digest(["a", "bc"])
