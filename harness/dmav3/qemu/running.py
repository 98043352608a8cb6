# SPDX-License-Identifier: Apache-2.0
"""The running boards of this user that a person may attach to, by what their `board.json` says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dmav3.errors import UsageError

from .private_folder import sweep
from .sockets import BoardCard

if TYPE_CHECKING:
    from pathlib import Path


def running() -> list[BoardCard]:
    """Return the boards that run now; what dead ones left is removed.

    :raises PrivateFolderError: the private folder is not ours.
    """
    cards = (_card(folder) for folder in sweep())
    return [card for card in cards if card is not None]


def find(name: str | None = None) -> BoardCard:
    """Return the board of that name, or the only one.

    :raises UsageError: there is none, or no name was given and there are several.
    """
    cards = {card.board: card for card in running()}
    names = ", ".join(cards)
    if not cards:
        msg = "no board is running; `dmav3 console` starts one"
    elif name is None and len(cards) > 1:
        msg = f"several boards are running, name one of them: {names}"
    elif name is not None and name not in cards:
        msg = f"no board {name!r} is running; running are: {names}"
    else:
        return cards[name or names]
    raise UsageError(msg)


def _card(folder: Path) -> BoardCard | None:
    try:
        return BoardCard(**json.loads((folder / "board.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # it is just starting or ending
