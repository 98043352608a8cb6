# SPDX-License-Identifier: Apache-2.0
"""The private folder: whose it is, which board's folder is whose, what dead boards left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmav3.errors import PrivateFolderError, UsageError
from dmav3.qemu import private_folder, running
from dmav3.qemu.private_folder import Folder, sweep
from dmav3.qemu.sockets import BoardCard, Sockets

#: Makes the folder of a board, and dies with it.
_DIES = 'import os; from dmav3.qemu.private_folder import Folder; Folder("dead"); os._exit(9)'


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the private folder will be: in a folder that is empty."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"dmav3-{os.geteuid()}"


def card(sockets: Sockets) -> BoardCard:
    """Return something to announce."""
    paths = (str(sockets.qmp), str(sockets.gdb))
    return BoardCard(sockets.name, 1, "m", 1, None, "image", *paths, "/probe", "/cpu", "/dram")


def test_place_is_that_of_the_session_then_of_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """XDG_RUNTIME_DIR, TMPDIR, /tmp; empty is as good as none."""
    name = f"dmav3-{os.geteuid()}"
    monkeypatch.setenv("TMPDIR", "/var/tmp")  # noqa: S108 - nothing is written there
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/me")
    assert private_folder.root() == Path("/run/me") / name
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert private_folder.root() == Path("/var/tmp") / name  # noqa: S108 - ditto
    monkeypatch.delenv("TMPDIR")
    assert private_folder.root() == Path("/tmp") / name  # noqa: S108 - ditto


def test_folder_is_private_and_goes_at_the_end(ours: Path) -> None:
    """Mode 0700 all the way; afterwards nothing is there."""
    with Folder("m") as folder:
        assert folder.path == ours / "m"
        assert {path.stat().st_mode & 0o777 for path in (ours, folder.path)} == {0o700}
        assert sweep() == [folder.path]
    assert not ours.exists()
    assert sweep() == []


def test_names_that_are_taken_are_numbered(ours: Path) -> None:
    """The lowest that is free."""
    with Folder("m"), Folder("m") as second, Folder("m") as third:
        assert (second.path.name, third.path.name) == ("m-2", "m-3")
    assert not ours.exists()


def test_what_a_dead_process_left_is_removed(ours: Path) -> None:
    """Its lock went with it, so the name is free again."""
    subprocess.run([sys.executable, "-c", _DIES], check=False)
    assert (ours / "dead").is_dir()
    with Folder("alive") as alive:
        assert not (ours / "dead").exists()
        subprocess.run([sys.executable, "-c", _DIES], check=False)
        assert sweep() == [alive.path]
    assert not ours.exists()


def test_what_strangers_put_there_is_left_alone(ours: Path) -> None:
    """Only folders are boards; a file and a link are not removed, and nothing is followed."""
    with Folder("m") as folder:
        (ours / "file").touch()
        (ours / "link").symlink_to("/")
        assert set(sweep()) == {folder.path, ours / "file", ours / "link"}
        assert running.running() == []
    assert sorted(path.name for path in ours.iterdir()) == ["file", "link"]


def open_to_others(path: Path) -> None:
    """Make a folder that the group may read."""
    path.mkdir()
    path.chmod(0o750)


def link(path: Path) -> None:
    """Make a link to a folder that would be good."""
    (target := path.with_name("elsewhere")).mkdir(mode=0o700)
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (open_to_others, r"is open to others \(mode 0750, 0700 is needed\)"),
        (link, "is a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "is a symbolic link"),
        (Path.touch, "is not a folder"),
    ],
)
def test_folder_that_is_not_ours_is_refused(ours: Path, make: object, problem: str) -> None:
    """By whoever starts a board and by whoever lists them; nothing is put there."""
    assert callable(make)
    make(ours)
    for use in (sweep, lambda: Folder("m"), running.find):
        with pytest.raises(PrivateFolderError, match=problem) as caught:
            use()
        assert caught.value.path == ours
    if ours.is_dir():
        assert list(ours.iterdir()) == []


def test_folder_of_another_user_is_refused(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has both."""
    ours.mkdir(mode=0o700)
    mine = os.geteuid()
    monkeypatch.setattr(private_folder, "root", lambda: ours)
    monkeypatch.setattr("os.geteuid", lambda: mine + 1)
    with pytest.raises(PrivateFolderError, match=f"belongs to user {mine}, not to {mine + 1}"):
        sweep()


def test_parent_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's folder that does not exist is no reason to look for another."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/none")
    with pytest.raises(PrivateFolderError, match="/proc/none/dmav3-"):
        Folder("m")


def test_path_too_long_for_a_socket_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux allows 107 bytes; nothing is left."""
    (long := tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(PrivateFolderError, match="AF_UNIX path too long"):
        Sockets("m")
    assert list(long.iterdir()) == []


@pytest.mark.usefixtures("ours")
def test_board_is_found_when_it_has_been_announced() -> None:
    """By its name; without one if it is the only one; one that just starts does not count."""
    with pytest.raises(UsageError, match="no board is running"):
        running.find()
    with Sockets("m") as first, Sockets("m") as second:
        first.announce(card(first))
        assert [one.board for one in running.running()] == ["m"]
        assert running.find() == running.find("m") == card(first)
        second.announce(card(second))
        assert running.find("m-2").qmp == str(second.qmp)
        with pytest.raises(UsageError, match=r"several boards are running, name one.*: m, m-2"):
            running.find()
        with pytest.raises(UsageError, match="no board 'x' is running; running are: m, m-2"):
            running.find("x")
    assert running.running() == []
