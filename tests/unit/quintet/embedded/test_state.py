import stat
from pathlib import Path

import pytest

from quintet.embedded.errors import CannotRun
from quintet.embedded.state import State, default_directory, write


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def test_the_default_is_xdgs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_directory() == Path("/somewhere/quintet")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_directory() == Path("/home/ada/.local/state/quintet")


def test_it_is_its_users_alone_and_has_one_owner(state: State) -> None:
    with state.held():
        assert mode(state.directory) == 0o700
        with pytest.raises(CannotRun, match=r"running on .*: stop it, or choose another --state-dir"), state.held():
            pass
    with state.held():
        pass


def test_an_old_ready_file_goes_before_anything_starts(state: State) -> None:
    with state.held():
        state.ready_file.write_text("{}")
        with pytest.raises(CannotRun), state.held():
            pass
        assert state.ready_file.exists()
    assert not state.ready_file.exists()
    state.ready_file.write_text("{}")
    with state.held():
        assert not state.ready_file.exists()


def test_secrets_are_made_once(state: State) -> None:
    with state.held():
        state.make_secrets()
        made = state.master_key, state.admin_token
        assert made[0] != made[1].encode()
        assert len(made[0]) == 64
        assert (mode(state.master_key_file), mode(state.admin_token_file)) == (0o600, 0o600)
        state.make_secrets()
        assert (state.master_key, state.admin_token) == made


def test_identities_last_while_the_object_does(state: State) -> None:
    with state.held():
        first = state.identities(["Queue/a", "Queue/b"])
        assert first["Queue/a"].uid != first["Queue/b"].uid
        state.keep_identities(first)
        assert state.identities(["Queue/a", "Queue/b"]) == first
        state.keep_identities({"Queue/b": first["Queue/b"]})
        again = state.identities(["Queue/a", "Queue/b"])
        assert again["Queue/a"].uid != first["Queue/a"].uid
        assert again["Queue/b"] == first["Queue/b"]


def test_sockets_lie_where_their_paths_are_short_enough(tmp_path: Path) -> None:
    short = State(Path("/tmp/q"))
    with short.sockets() as directory:
        assert directory == short.directory
    with State(tmp_path / ("long" * 30)).sockets() as directory:
        assert len(str(directory / "control.sock")) <= 100
        assert mode(directory) == 0o700
    assert not directory.exists()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write(file, "old")
    assert mode(file) == 0o600
    with pytest.raises(UnicodeEncodeError):
        write(file, "\udcff")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
