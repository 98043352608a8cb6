# SPDX-License-Identifier: Apache-2.0
"""The monitor, against a real QEMU that has no machine and no extension."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dmav3.deadlines import deadline
from dmav3.errors import ClosedError, DeadlineError, MonitorError
from dmav3.qemu.qmp import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def bare_qemu() -> Iterator[tuple[Monitor, subprocess.Popen[bytes]]]:
    """Start QEMU with nothing but a monitor."""
    mine, other = socket.socketpair()
    with mine, other:
        fd = other.fileno()
        argv = ["qemu-system-aarch64", "-M", "none", "-nodefaults", "-display", "none"]
        argv += ["-chardev", f"socket,id=m,fd={fd}", "-mon", "chardev=m,mode=control"]
        child = subprocess.Popen(argv, pass_fds=[fd])
        other.close()
        try:
            with Monitor(mine) as monitor:
                yield monitor, child
        finally:
            child.kill()
            child.wait()


def test_commands_return_values_and_errors_and_all_is_logged() -> None:
    """One connection serves any number of commands."""
    with bare_qemu() as (monitor, _):
        assert monitor.execute("query-status")["running"] is True
        with pytest.raises(MonitorError, match="nonsense") as caught:
            monitor.execute("qom-get", path="/nonsense", property="type")
        assert caught.value.command == "qom-get"
        assert monitor.get("type", path="/machine") == "none-machine"
        commands = [entry for kind, entry in monitor.log if kind == "command"]
        assert [entry["execute"] for entry in commands] == ["query-status", "qom-get", "qom-get"]


def test_event_that_a_command_causes_is_seen() -> None:
    """Events are kept, and can be waited for."""
    with bare_qemu() as (monitor, _):
        monitor.wait_event("STOP", len(monitor.events), doing=lambda: monitor.execute("stop"))
        assert monitor.events[-1]["event"] == "STOP"


def test_event_that_does_not_come_ends_at_the_deadline() -> None:
    """Waiting is bounded."""
    with bare_qemu() as (monitor, _):
        monitor.execute("query-status")
        with pytest.raises(DeadlineError, match="RESET"), deadline(0.05):
            monitor.wait_event("RESET", 0)


def test_death_of_qemu_is_a_closed_monitor() -> None:
    """Commands after it fail at once; leaving works."""
    with bare_qemu() as (monitor, child):
        monitor.execute("query-status")
        child.kill()
        child.wait()
        with pytest.raises(ClosedError):
            monitor.execute("query-status")


def test_other_side_that_says_nothing_is_bounded() -> None:
    """Without a greeting a command ends at its deadline, and leaving works."""
    mine, other = socket.socketpair()
    with mine, other, Monitor(mine) as monitor, pytest.raises(DeadlineError), deadline(0.05):
        monitor.execute("query-status")


def test_other_side_that_is_gone_is_closed() -> None:
    """End of file instead of a greeting."""
    mine, other = socket.socketpair()
    other.close()
    with mine, Monitor(mine) as monitor, pytest.raises(ClosedError):
        monitor.execute("query-status")


def test_other_side_that_goes_right_after_its_greeting_is_closed() -> None:
    """A QEMU that ends while it starts says all that is asked of it first."""
    mine, other = socket.socketpair()
    version = b'{"qemu": {"major": 10, "minor": 0, "micro": 0}, "package": ""}'
    other.sendall(
        b'{"QMP": {"version": ' + version + b', "capabilities": []}}\r\n{"return": {}}\r\n'
    )
    other.shutdown(socket.SHUT_WR)
    with mine, other, Monitor(mine) as monitor, pytest.raises(ClosedError):
        monitor.execute("query-status")
