# SPDX-License-Identifier: Apache-2.0
"""What a board leaves for a person who has to find out what happened: a folder of plain files.

| file | what |
|---|---|
| `console.log` | the serial line, `>` to the board and `<` from it |
| `qmp.jsonl` | commands, returns and events of the monitor |
| `qemu.log` | QEMU's error output |
| `findings.json` | the findings, each with `expected` |
| `events.jsonl` | the event log, the last records of the ring |
| `trace.txt` | of these what the DMA controller did, for a person |
"""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from dmav3.deadlines import deadline
from dmav3.errors import Dmav3Error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dmav3.board.board import Board
    from dmav3.board.host_shim import HostShim
    from dmav3.board.shim import Shim

#: Seconds of real time to wait for a board that does not stand still.
_PATIENCE_SECONDS = 1.0


def save(board: Board, folder: Path) -> None:
    """Write everything into `folder`, which is made if need be; works in every state of a board.

    :raises OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    console = b"".join(line + b"\n" for line in list(board.qemu.link.log))
    (folder / "console.log").write_bytes(console)
    _lines(folder / "qmp.jsonl", ({kind: content} for kind, content in list(board.qmp.log)))
    (folder / "qemu.log").write_text(board.qemu.log())
    with suppress(Dmav3Error), ExitStack() as held:
        reason = _hold(board, held)
        findings = [{"unknown": reason}] if reason else _findings(board)
        (folder / "findings.json").write_text(json.dumps(findings, indent=1) + "\n")
        _lines(folder / "events.jsonl", [{"unknown": reason}] if reason else _events(board))
        trace = [reason] if reason else board.evidence.trace()
        (folder / "trace.txt").write_text("\n".join(trace) + "\n")


def save_host(shim: HostShim, folder: Path) -> None:
    """Write what there is of a shim on this computer: `console.log`, `errors.log`, `events.jsonl`.

    :raises OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_bytes(b"".join(line + b"\n" for line in shim.link.log))
    (folder / "errors.log").write_text(shim.said())
    if shim.running:
        _lines(folder / "events.jsonl", _events(shim))


def _hold(board: Board, held: ExitStack) -> str:
    """Make a board stand still until `held` ends; returns why it cannot be, or nothing."""
    with suppress(Dmav3Error), deadline(_PATIENCE_SECONDS):
        board.evidence.probe.settle()
        return ""
    try:
        with deadline(_PATIENCE_SECONDS):
            held.enter_context(board.qemu.paused())
    except Dmav3Error as error:
        return str(error)
    return ""


def _findings(board: Board) -> list[dict[str, Any]]:
    unexpected = board.unexpected()
    return [
        finding.json() | {"expected": finding not in unexpected} for finding in board.findings()
    ]


def _events(shim: Shim) -> Iterable[dict[str, Any]]:
    for record in shim.evidence.events.all():
        yield record._asdict() | {"kind": record.kind.name.lower()}


def _lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(one, default=str) + "\n" for one in objects))
