# SPDX-License-Identifier: Apache-2.0
"""Commands of the console that the shim does not know: what was found, and the stream device.

| command | what it does |
|---|---|
| `findings`, `violations` | everything since the last reset, a line each |
| `calls` | the driver's calls, with what came of each |
| `costs` | maintenance that changed nothing, by function |
| `put text WORD…`, `put hex 00ff`, `put file PATH` | give the stream device bytes to receive |
| `take`, `take hex`, `take file PATH` | show, or keep, what the stream device was sent |

A command of the image with the same name comes first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dmav3.errors import FindingsError, UsageError
from dmav3.evidence.probe import Kind
from dmav3.files import open_output, read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dmav3.board.board import Board
    from dmav3.errors import Explained

#: Records that say why a call did not do what it was to do.
_WHY = {Kind.REASON, Kind.CHANNEL_FAULT}
_PUT = "put text WORD…, put hex 00ff, or put file PATH"
_TAKE = "take, take hex, or take file PATH"


class ConsoleCommands:
    """The commands, on one board; and what has been shown of its findings."""

    def __init__(self, board: Board) -> None:
        """Show nothing yet."""
        self._board = board
        self._told: set[str] = set()
        self._seen = 0  # records of the event log
        self._commands: dict[str, Callable[[str], list[str]]] = {
            "findings": lambda _: [one.line() for one in board.findings()],
            "violations": lambda _: [one.line() for one in board.violations()],
            "calls": lambda _: [one.line() for one in board.evidence.calls()],
            "costs": lambda _: [
                "{function}: {operations} operations, {lines} of them in vain".format(**cost)
                for cost in board.evidence.costs()
            ],
            "put": self._put,
            "take": self._take,
        }

    @property
    def names(self) -> list[str]:
        """Their names."""
        return list(self._commands)

    def knows(self, line: str) -> bool:
        """Return whether a line is such a command."""
        return line.split(maxsplit=1)[0] in self._commands

    def run(self, line: str) -> list[str]:
        """Carry one out and return its lines.

        :raises UsageError: its arguments are wrong, or a file cannot be read or written.
        """
        name, _, rest = line.strip().partition(" ")
        return self._commands[name](rest.strip()) or ["none"]

    def news(self) -> list[str]:
        """Return the findings and violations that have not been shown, a line each."""
        return self._new(self._board.unexpected())

    def refusals(self) -> list[str]:
        """Return what was refused, or failed, since the last time, and why."""
        evidence = self._board.evidence
        new = evidence.events.since(self._seen)
        self._seen += len(new)
        if not any(record.kind in _WHY for record in new):
            return []
        lines = [line for line in evidence.hints() if line not in self._told]
        self._told.update(lines)
        return lines

    def last_news(self) -> list[str]:
        """Return those, and what is left behind."""
        try:
            self._board.check()
        except FindingsError as error:
            hints = [line for line in error.hints if line not in self._told]
            return [*self._new(error.findings), *hints]
        return []

    def forget(self) -> None:
        """After a reset: there is nothing that could have been shown."""
        self._told.clear()
        self._seen = 0

    def _new(self, found: Sequence[Explained]) -> list[str]:
        """Leave out what has been shown, with another count perhaps."""
        new = [one for one in found if one.summary() not in self._told]
        self._told.update(one.summary() for one in new)
        return [one.line() for one in new]

    def _put(self, rest: str) -> list[str]:
        how, _, what = rest.partition(" ")
        match how:
            case "text":
                data = what.encode()
            case "hex":
                data = _hex(what)
            case "file":
                data = _file(lambda: read_regular(Path(what), self._board.stream.ring_size), what)
            case _:
                msg = f"{how!r} is no way to give bytes: {_PUT}"
                raise UsageError(msg)
        self._board.stream.receive_put(data)
        return [f"{len(data)} bytes wait for the device"]

    def _take(self, rest: str) -> list[str]:
        how, _, name = rest.partition(" ")
        if how not in ("", "hex", "file") or (how == "file") != bool(name):
            msg = f"{rest!r} is no way to take bytes: {_TAKE}"
            raise UsageError(msg)
        if how == "file":
            data = _file(lambda: self._to_file(Path(name)), name)
            return [f"{len(data)} bytes are in {name}"]
        data = self._board.stream.sent_take()
        return [f"{len(data)} bytes: " + (data.hex() if how else repr(data))]

    def _to_file(self, path: Path) -> bytes:
        with open_output(path) as file:  # before anything is taken that it could not hold
            data = self._board.stream.sent_take()
            file.write(data)
        return data


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        msg = f"{text!r} is not hexadecimal ({error}): {_PUT}"
        raise UsageError(msg) from None


def _file(use: Callable[[], bytes], name: str) -> bytes:
    try:
        return use()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name has a zero byte"
        msg = f"{name}: {reason}"
        raise UsageError(msg) from None
