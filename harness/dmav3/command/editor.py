# SPDX-License-Identifier: Apache-2.0
"""Lines from a person: editing, history and completion, by Python's own readline.

The history is kept in `${XDG_STATE_HOME:-~/.local/state}/dmav3/history`. It is a convenience: where
it cannot be read or written there is no history, and no message.
"""

from __future__ import annotations

import os
import readline
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINES = 1_000


def history_file() -> Path:
    """Return where the history is kept."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "dmav3" / "history"


class Editor:
    """Reads lines from the terminal; a context manager that keeps the history."""

    def __init__(self, names: Sequence[str]) -> None:
        """Complete the first word of a line from `names`."""
        self._names = sorted(names)
        self._file = history_file()
        self._old = 0

    def __enter__(self) -> Self:
        """Read the history."""
        readline.clear_history()
        with suppress(OSError):
            readline.read_history_file(self._file)
        self._old = readline.get_current_history_length()
        readline.set_completer(self._complete)
        readline.set_completer_delims(" ")
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        return self

    def __exit__(self, *_: object) -> None:
        """Append what was typed: two consoles at once both keep theirs."""
        readline.set_completer(None)
        new = readline.get_current_history_length() - self._old
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            readline.append_history_file(max(new, 0), self._file)
            self._shorten()

    @staticmethod
    def read(prompt: str) -> str:
        """Return a line; EOFError at the end of file, KeyboardInterrupt after Ctrl-C."""
        return input(prompt)

    def _complete(self, text: str, state: int) -> str | None:
        if readline.get_begidx():
            return None  # an argument
        found = [name for name in self._names if name.startswith(text)]
        return found[state] + " " if state < len(found) else None

    def _shorten(self) -> None:
        lines = self._file.read_bytes().splitlines(keepends=True)
        if len(lines) > 2 * _LINES:
            self._file.write_bytes(b"".join(lines[-_LINES:]))
