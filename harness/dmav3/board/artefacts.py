# SPDX-License-Identifier: Apache-2.0
"""What a board leaves for a person who has to find out what happened: a folder of plain files.

| file | what |
|---|---|
| `console.log` | the serial line, `>` to the board and `<` from it |
| `qmp.jsonl` | commands, returns and events of the monitor |
| `qemu.log` | QEMU's error output |
| `findings.json` | findings, violations, what is left behind, each with `expected` |
| `calls.txt` | the driver's calls, with what came of each, and why |
| `events.jsonl` | the event log, the last records of the ring |
| `trace.txt` | of these what the DMA controller did, for a person |
| `run.json` | on what it ran, and the command that runs it again |

With what `recorded.py` writes beside them, `dmav3 replay` has the run again. The folder of a test
is in the folder of its run, and that in `--dmav3-artefacts`, where the last ten runs stay.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmav3.deadlines import deadline
from dmav3.errors import Dmav3Error

from . import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dmav3.evidence.findings import Finding
    from dmav3.evidence.violations import Violation

    from .board import Board
    from .host_shim import HostShim
    from .shim import Shim

#: How many runs stay, and what their folders are called: date, time, id of the process.
_RUNS, _RUN = 10, re.compile(r"\d{8}-\d{6}-\d+")
#: Seconds of real time to wait for a board that does not stand still.
_PATIENCE_SECONDS = 1.0


def new_run() -> str:
    """Return a name for the folder of a run."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def run_folder(root: Path, run: str) -> Path:
    """Return the folder of a run, made if need be; the oldest that have ended have to go then."""
    folder = root / run
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (root / ".gitignore").write_text("*\n")
        runs = sorted(
            path for path in root.iterdir() if path.is_dir() and _RUN.fullmatch(path.name)
        )
        for old in runs[:-_RUNS]:
            if not Path("/proc", old.name.rpartition("-")[2]).exists():
                shutil.rmtree(old, ignore_errors=True)
    return folder


def save(
    board: Board, folder: Path, facts: Mapping[str, object], left: Sequence[Violation]
) -> None:
    """Write everything into `folder`, which is made if need be; works in every state of a board.

    :param facts: for `run.json`.
    :param left: what was left behind, for `findings.json`.
    :raises OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(facts, indent=1) + "\n")
    console = b"".join(line + b"\n" for line in list(board.qemu.link.log))
    (folder / "console.log").write_bytes(console)
    _lines(folder / "qmp.jsonl", ({kind: content} for kind, content in list(board.qmp.log)))
    (folder / "qemu.log").write_text(board.qemu.log())
    with suppress(Dmav3Error), ExitStack() as held:
        reason = _hold(board, held)
        findings = [{"unknown": reason}] if reason else _findings(board, left)
        (folder / "findings.json").write_text(json.dumps(findings, indent=1) + "\n")
        _lines(folder / "events.jsonl", [{"unknown": reason}] if reason else recorded.events(board))
        recorded.write(board, folder, held=bool(reason))
        trace = [reason] if reason else board.evidence.trace()
        (folder / "trace.txt").write_text("\n".join(trace) + "\n")
        calls = [reason] if reason else [call.line() for call in board.evidence.calls()]
        (folder / "calls.txt").write_text("".join(f"{line}\n" for line in calls))


def save_host(
    shim: HostShim, folder: Path, facts: Mapping[str, object], left: Sequence[Violation]
) -> None:
    """Write what there is of a shim on this computer; `errors.log` is what its process said.

    :raises OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "console.log").write_bytes(b"".join(line + b"\n" for line in shim.link.log))
    (folder / "errors.log").write_text(shim.said())
    if shim.running:
        _lines(folder / "events.jsonl", recorded.events(shim))
        findings = _findings(shim, left)
        (folder / "findings.json").write_text(json.dumps(findings, indent=1) + "\n")
        calls = [call.line() for call in shim.evidence.calls()]
        (folder / "calls.txt").write_text("".join(f"{line}\n" for line in calls))


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


def _findings(shim: Shim, left: Sequence[Violation]) -> list[dict[str, Any]]:
    unexpected = [*shim.unexpected(), *left]
    found: list[Finding | Violation] = [*shim.findings(), *shim.violations(), *left]
    return [one.json() | {"expected": one not in unexpected} for one in found]


def _lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    path.write_text(recorded.lines_of(objects))
