# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor, synchronously.

qemu.qmp is asyncio; its loop runs in one thread that this context manager owns. The connection
is made there at once, while the caller goes on; the first command waits for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from qemu.qmp import ExecuteError, QMPClient, QMPError

from dmav3.deadlines import allowance
from dmav3.errors import ClosedError, DeadlineError, MonitorError, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

#: What qemu.qmp raises when QEMU has gone.
_GONE = (QMPError, OSError, EOFError)
#: Descriptors that asyncio needs besides the socket, with some to spare.
_LOOP_DESCRIPTORS = 6
#: The extension's device in QEMU's object tree.
BOARD = "/machine/peripheral/dmav3"


class Monitor:
    """One monitor connection; a context manager. Every command has a deadline.

    :ivar log: ("command" | "return" | "event", content), everything exchanged, in order.
    :ivar events: every event, as QEMU sent it.
    :ivar altered: a command was executed that neither `restore` nor a reset undoes.
    """

    #: How commands begin that alter nothing, or what `system_reset` brings back.
    _HARMLESS = ("query-", "qom-get", "qom-list", "system_reset", "stop", "cont")

    def __init__(
        self,
        sock: socket.socket,
        settle: Callable[[], object] = lambda: None,
        note: Callable[[str, dict[str, object]], object] = lambda _name, _arguments: None,
    ) -> None:
        """Talk over a connected socket, which this object owns from now on.

        :param settle: called before a property is read or written; returns when model time stands
            still. A command has been answered a little before it is over, and what happens then
            would depend on the host.
        :param note: is given each command and its arguments before it is sent.
        """
        self.log: list[tuple[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._originals: dict[tuple[str, str], object] = {}
        self.altered = False
        self._changed = threading.Condition()
        self._socket, self._settle, self._note = sock, settle, note
        self._client = QMPClient("dmav3")
        self._stop = asyncio.Event()
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._connected: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="dmav3-monitor", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread and the connection; `OSError` if descriptors are too few for it."""
        self._check_room()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect and end the thread."""
        self._loop.result().call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def execute(self, command: str, **arguments: object) -> Any:
        """Run one command and return its value.

        :param arguments: by QEMU's names, with `_` for `-`.
        :raises MonitorError: QEMU refused; nothing changed.
        :raises DeadlineError: no answer in time; the command may still be carried out.
        :raises ClosedError: QEMU is gone.
        """
        named = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.altered |= not command.startswith(self._HARMLESS)
        return self._command(command, named)

    def _command(self, command: str, named: dict[str, object]) -> Any:
        self._result(self._connected, "the monitor's greeting")
        self.log.append(("command", {"execute": command, "arguments": named}))
        self._note(command, named)
        value = self._result(self._submit(self._execute(command, named)), command)
        self.log.append(("return", value))
        return value

    def get(self, name: str, path: str = BOARD) -> Any:
        """Read a property of the extension's device, or of the object at `path`."""
        self._settle()
        return self.execute("qom-get", path=path, property=name)

    def set(self, name: str, value: object, path: str = BOARD, *, lasting: bool = False) -> None:
        """Write a property; `MonitorError` at a wrong moment or for a wrong value.

        :param lasting: `restore` leaves it as it is.
        :raises UsageError: a negative number for one of ours; QEMU would take it for a huge one.
        """
        if path.startswith(BOARD) and isinstance(value, int) and value < 0:
            msg = f"{name}={value}: a number is needed that is not negative, such as {name}=1"
            raise UsageError(msg)
        if not lasting and (path, name) not in self._originals:
            with suppress(MonitorError):  # one that cannot be read has nothing to restore
                self._originals[path, name] = self.get(name, path)
        self._settle()
        self._write(name, value, path)

    def restore(self) -> None:
        """Give every property that `set` has changed the value that it had before, at once."""
        for path, name in list(self._originals):
            self._write(name, self._originals[path, name], path)
            del self._originals[path, name]

    def _write(self, name: str, value: object, path: str) -> None:
        self._command("qom-set", {"path": path, "property": name, "value": value})

    @property
    def stopped(self) -> bool:
        """True if the machine was stopped and has not been made to go on."""
        turns = [event["event"] for event in self.events if event["event"] in {"STOP", "RESUME"}]
        return turns[-1:] == ["STOP"]

    def program_counter(self) -> int:
        """Return where the CPU is; 0: QEMU does not say. `DeadlineError` if it does not answer."""
        command = {"command-line": "info registers"}
        registers = str(self.execute("human-monitor-command", **command))
        found = re.search(r"PC=([0-9a-f]+)", registers)
        return int(found[1], 16) if found else 0

    def wait_event(self, name: str, since: int, doing: Callable[[], object] | None = None) -> None:
        """Wait for an event.

        :param since: index in `events` from which on one counts: its length before the cause.
        :param doing: causes it.
        :raises DeadlineError: it did not come in time.
        """
        if doing is not None:
            doing()
        seconds, waiting_for = allowance(), f"event {name}"
        with self._changed:
            if not self._changed.wait_for(
                lambda: any(event["event"] == name for event in self.events[since:]), seconds
            ):
                raise DeadlineError(waiting_for, seconds)

    async def _execute(self, command: str, arguments: dict[str, object]) -> object:
        try:
            return await self._client.execute(command, arguments)
        except ExecuteError as error:
            raise MonitorError(command, arguments, str(error)) from error
        except _GONE as error:
            msg = f"the monitor is closed: {error or type(error).__name__}"
            raise ClosedError(msg) from error

    def _submit(self, work: Coroutine[Any, Any, object]) -> Future[object]:
        return asyncio.run_coroutine_threadsafe(work, self._loop.result())

    @staticmethod
    def _result(future: Future[Any], waiting_for: str) -> object:
        seconds = allowance()
        try:
            return future.result(seconds)
        except FutureTimeoutError:
            raise DeadlineError(waiting_for, seconds) from None

    def _check_room(self) -> None:
        """Raise `OSError` here, because a loop that is made without room cannot be caught."""
        with ExitStack() as room:
            for _ in range(_LOOP_DESCRIPTORS):
                room.callback(os.close, os.dup(self._socket.fileno()))

    def _run(self) -> None:
        asyncio.run(self._session())

    async def _session(self) -> None:
        """Connect, then collect events until `__exit__`; runs in the thread."""
        self._loop.set_result(asyncio.get_running_loop())
        stopping = asyncio.create_task(self._stop.wait())
        connecting = asyncio.create_task(self._client.connect(self._socket))
        await asyncio.wait({stopping, connecting}, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            connecting.cancel()
        try:
            await connecting
        except (*_GONE, AssertionError, asyncio.CancelledError) as error:
            # qemu.qmp asserts that the QEMU it has just greeted has not gone in the meantime.
            self._connected.set_exception(ClosedError(f"the monitor is closed: {error}"))
            listening = None
        else:
            self._connected.set_result(None)
            listening = asyncio.create_task(self._listen())
        await stopping
        if listening:
            listening.cancel()
        with suppress(*_GONE):  # QEMU was gone first, as it should be
            await self._client.disconnect()

    async def _listen(self) -> None:
        async for event in self._client.events:
            with self._changed:
                self.events.append(dict(event))
                self.log.append(("event", dict(event)))
                self._changed.notify_all()
