# SPDX-License-Identifier: Apache-2.0
"""`dmav3 console`: a board of one's own, and its shell.

On a terminal lines are edited and answers folded to its width. From a pipe or a file each line is a
command, and each answer one line on standard output; then the exit status is 1 if the shim refused
any of them, or if there were findings. Findings and violations are shown as they come, and at the
end what the driver has left behind. So are calls that are refused, with the reason, and after a
`wait` for something that did not come, who would have to act; these change no exit status.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.board.board import Board
from dmav3.errors import ClosedError, FaultError, RefusedError, UsageError
from dmav3.qemu.gdb import gdb_command
from dmav3.wire import answers
from dmav3.wire.conversation import Conversation
from dmav3.wire.frame import Event, Ok, Refusal

from .console_commands import ConsoleCommands
from .signals import Signals

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from dmav3.wire.frame import Answer


#: Words of a `wait` that waits for nothing but time.
_PLAIN_WAIT = 2


@dataclass(frozen=True)
class ConsoleOptions:
    """What the command line says."""

    machine: str
    image: Path | None = None
    seed: int = 1
    schedule: str | None = None


def run_console(options: ConsoleOptions) -> int:
    """Start a board and let standard input talk to it; return the exit status.

    :raises Dmav3Error: the board could not be started, died, or (from a pipe) crashed.
    """
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    board = Board(
        options.machine,
        image=options.image,
        seed=options.seed,
        schedule=options.schedule,
        sockets=True,
        judge=False,
    )
    with Signals(warn=terminal) as signals, board:
        try:
            session = _Session(board, signals, terminal=terminal)
            (_from_terminal if terminal else _from_pipe)(session)
            session.end()
        except ClosedError as error:
            raise board.qemu.death() from error
        finally:
            signals.ending()
        return session.status


class _Session:
    """One board, one standard input.

    :ivar status: what to exit with if nothing else happens.
    """

    def __init__(self, board: Board, signals: Signals, *, terminal: bool) -> None:
        self._board, self.signals, self._terminal = board, signals, terminal
        self._conversation = Conversation(board.qemu.link, patient=terminal)
        self._reset = board.evidence.probe.ring_reset
        self._crashed = False
        self._known = set(self._names_of_the_image())
        self._own = ConsoleCommands(board)
        self.status = 0

    def introduction(self) -> str:
        """Say what was started and how else to get at it."""
        board, sockets = self._board, self._board.qemu.sockets
        if sockets is None:
            raise AssertionError
        how = (
            f", {board.qemu.schedule}, seed {board.qemu.seed}"
            if board.qemu.schedule
            else ", coherent"
        )
        return (
            f"board {sockets.name}: {board.machine.name}{how}; QEMU is process {board.qemu.pid}\n"
            f"gdb:  {gdb_command(board.image.path, sockets.gdb)}\n"
            f"qmp:  dmav3 qmp {sockets.name}\n"
            f"what the DMA controller did:  dmav3 trace {sockets.name}"
        )

    def names(self) -> list[str]:
        """Return the commands of this image, and the console's own."""
        return sorted({*self._known, *self._own.names})

    def _names_of_the_image(self) -> list[str]:
        """Return them, none where it has no `help`."""
        with suppress(RefusedError):
            return [notice.values["command"] for notice in self._board.request("help").notices]
        return []

    def prompt(self) -> str:
        """Return the prompt; inside a callback it has the callback's ID."""
        return f"!{self._conversation.callbacks[-1]}> " if self._conversation.callbacks else "> "

    def check(self) -> None:
        """Raise if QEMU has ended."""
        if not self._board.qemu.running:
            raise self._board.qemu.death()

    def execute(self, line: str) -> None:
        """Carry out one command and show its answers; an empty line does nothing."""
        self._notice_reset()
        if not line.split():
            return
        if self._crashed:
            self._say("the firmware has crashed and answers nothing until a reset")
            return
        try:
            if line.split(maxsplit=1)[0] not in self._known and self._own.knows(line):
                self._say("\n".join(self._own.run(line)))
            else:
                self._ask(line)
        except UsageError as error:
            self._refused(f"error: {error}")

    def end(self) -> None:
        """Show what is left behind, and what else has not been shown."""
        if not self._crashed and not self._conversation.callbacks:
            self._tell(self._own.last_news())

    def _ask(self, line: str) -> None:
        in_vain = False
        for answer in self._conversation.ask(line):
            self._show(answer)
            in_vain = isinstance(answer, Ok) and answer.values.get("ended") == "time"
        if not self._crashed:
            for text in self._own.refusals():
                self._say(text)
            self._tell(self._own.news())
        if in_vain and len(line.split()) > _PLAIN_WAIT and not self._conversation.callbacks:
            for text in self._board.waiting():
                self._say(f"waiting: {text}")

    def _tell(self, news: list[str]) -> None:
        for text in news:
            self._refused(text)

    def _show(self, answer: Answer) -> None:
        if isinstance(answer, Event) and answer.name == "fault" and not answer.id:
            self._fault(self._board.qemu.fault(answer.values))
        elif isinstance(answer, Refusal):
            self._refused(self._text(answer))
        else:
            self._say(self._text(answer))

    def _text(self, answer: Answer) -> str:
        if self._terminal:
            return answers.readable(answer, os.get_terminal_size(sys.stdout.fileno()).columns)
        return answers.plain(answer)

    def _refused(self, text: str) -> None:
        self._say(text)
        if not self._terminal:
            self.status = 1

    def _fault(self, error: FaultError) -> None:
        """On a terminal the board stays, for gdb and the monitor."""
        if not self._terminal:
            raise error
        self._say(f"{error}\nonly a reset helps: dmav3 qmp, then system_reset")
        self._crashed, self.status = True, FaultError.exit_status
        self._conversation.forget()

    def _notice_reset(self) -> None:
        """Somebody may have reset the board through the other monitor."""
        before, self._reset = self._reset, self._board.evidence.probe.ring_reset
        if self._reset != before:
            self._say("the board was reset")
            self._crashed, self.status = False, 0
            self._conversation.forget()
            self._own.forget()

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)  # noqa: T201 - that is what a console is for


def _from_terminal(session: _Session) -> None:
    from .editor import Editor  # noqa: PLC0415 - readline changes the terminal when it is loaded

    print(session.introduction(), "help lists the commands, Ctrl-D ends", sep="\n")  # noqa: T201
    with Editor(session.names()) as editor:
        while True:
            try:
                with session.signals.waiting(session.check):
                    line = editor.read(session.prompt())
            except EOFError:
                print()  # noqa: T201
                return
            except KeyboardInterrupt:
                print()  # noqa: T201
                continue
            session.execute(line)


def _from_pipe(session: _Session) -> None:
    print(session.introduction(), file=sys.stderr, flush=True)  # noqa: T201
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # such a line is refused, not fatal
    try:
        while line := _next_line(session, sys.stdin):
            session.execute(line)
    except BrokenPipeError:  # the reader of our answers has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _next_line(session: _Session, stdin: TextIO | None) -> str:
    """Return the next line with its end, empty at the end of file."""
    if stdin is None:
        return ""
    with session.signals.waiting(session.check):
        return stdin.readline()
