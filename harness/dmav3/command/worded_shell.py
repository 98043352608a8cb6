# SPDX-License-Identifier: Apache-2.0
"""qemu.qmp's qmp-shell with our short words, on a terminal or a pipe."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from qemu.qmp import ExecuteError
from qemu.qmp.qmp_shell import QMPShell

from dmav3.errors import Dmav3Error, MonitorError
from dmav3.qemu.qmp import BOARD

from .short_words import ShortWords

if TYPE_CHECKING:
    from dmav3.qemu.sockets import BoardCard


#: How commands begin that change nothing of a run.
_LOOKING = ("query-", "qom-get", "qom-list", "qmp_capabilities", "stop", "cont")


class WordedShell(QMPShell):
    """The shell; a context manager, as qemu.qmp's is.

    :ivar status: what to exit with if nothing else happens.
    """

    def __init__(self, card: BoardCard, *, terminal: bool) -> None:
        """Open nothing yet.

        :param terminal: show prompts and a banner, edit lines, fold what is wider than it.
        """
        super().__init__(card.qmp)
        self.status = 0
        self._terminal = terminal
        columns = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else None
        self._words = ShortWords(card, _Properties(self), columns)

    def show_banner(self, msg: str = "Welcome to the QMP low-level shell!") -> None:
        """Greet a person."""
        if self._terminal:
            super().show_banner(msg)

    def read_exec_command(self) -> bool:
        """Read a line and carry it out; False at the end."""
        if self._terminal:
            return super().read_exec_command()
        line = sys.stdin.readline()
        return bool(line) and (not line.strip() or self._execute_cmd(line))

    def _fill_completion(self) -> None:
        super()._fill_completion()
        for name in self._words.names:
            self._completer.append(name)

    def _execute_cmd(self, cmdline: str) -> bool:
        if not self._words.knows(cmdline):
            return super()._execute_cmd(cmdline)
        try:
            self._say(*self._words.run(cmdline))
        except Dmav3Error as error:
            self._say(f"error: {error}")
            self.status = 0 if self._terminal else 1
        return True

    def cmd_obj(self, qmp_cmd: dict[str, Any]) -> Any:
        """Send a command; one that may change the machine is not sent before the board knows."""
        if not qmp_cmd["execute"].startswith(_LOOKING):
            touched = {"path": BOARD, "property": "touched", "value": 1}
            self._send({"execute": "qom-set", "arguments": touched})
        return self._send(qmp_cmd)

    def _send(self, command: dict[str, Any]) -> Any:
        try:
            return super().cmd_obj(command)
        except BrokenPipeError as error:  # the monitor's: to others it would be that of our output
            msg = "QEMU has ended"
            raise EOFError(msg) from error

    @staticmethod
    def _say(*lines: str) -> None:
        print(*lines, sep="\n", flush=True)  # noqa: T201 - that is what a shell is for


class _Properties:
    """The board's properties, through the shell's connection."""

    def __init__(self, shell: QMPShell) -> None:
        self._shell = shell

    def get(self, name: str, path: str = BOARD) -> Any:
        """Read one."""
        return self._execute("qom-get", {"path": path, "property": name})

    def set(self, name: str, value: object, path: str = BOARD, *, lasting: bool = False) -> None:
        """Write one; nothing restores it, whatever is `lasting`."""
        del lasting
        self._execute("qom-set", {"path": path, "property": name, "value": value})

    def _execute(self, command: str, arguments: dict[str, object]) -> Any:
        try:
            return self._shell.cmd(command, **arguments)
        except ExecuteError as error:
            raise MonitorError(command, arguments, str(error)) from error
