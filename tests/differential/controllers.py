# SPDX-License-Identifier: Apache-2.0
"""The two controllers: QEMU's on a board of QEMU's own, without our extension, and ours.

QEMU's is that of `xilinx-zynq-a9`: eight channels, sixteen events, 64 bits, 256 lines, as ours. Its
CPU stands still; registers, interrupts and request lines are reached by QEMU's test protocol
(`-qtest`), memory is shared. Ours is that of `virt-a53`, whose CPU does the accesses.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scenario import (
    AT_REST,
    INTEN,
    REGISTERS,
    STATE,
    WINDOW,
    Layout,
    Outcome,
    Scenario,
    Write,
    observed,
    writes,
)

from dmav3 import Board
from dmav3.qemu.process import qemu_binary

if TYPE_CHECKING:
    from collections.abc import Iterable

_MACHINE = "virt-a53"
#: Request lines without a device on our board; QEMU's are then ready. The others never are.
ASKING, SILENT = (2, 3), (0, 1)
#: Model time in which a scenario comes to rest, in pieces.
_PIECE_NS, _PIECES = 50_000, 40
_QTEST_SECONDS = 120.0
#: What fits into a line for the shim.
_WORDS, _PEEKS = 80, 20
_ZYNQ_PL330, _ZYNQ_PATH, _ZYNQ_RAM = 0xF8003000, "/machine/unattached/device[33]", 2 << 30
#: The distributor of the GIC: what is enabled, and what is pending, of our seventeen interrupts.
_ICENABLER, _ISPENDR, _FIRST_IRQ, _LINES = 0x08000180, 0x08000200, 208, 17


class HangError(Exception):
    """A controller does not come to rest."""


class Ours:
    """The engine, on its board.

    :ivar findings: kinds of what the last scenario has done wrong.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._resources = ExitStack()
        self.findings: set[str] = set()
        self._before: Counter[str] = Counter()

    def start(self) -> Layout:
        """Start the board; return where it has room."""
        board = Board(_MACHINE, judge=False, trace=False)
        self._board = self._resources.enter_context(board)
        self._base = board.machine.pl330[0].base
        self._mask()
        assert board.memory.staging.end - board.memory.staging.start >= WINDOW
        return Layout(board.memory.staging.start)

    def close(self) -> None:
        """End it."""
        self._resources.close()

    def reset(self) -> None:
        """Reset the board."""
        self._board.reset()
        self._before.clear()
        self._mask()

    def run(self, scenario: Scenario, layout: Layout) -> Outcome:
        """Let a scenario happen."""
        board = self._board
        board.memory.stage(layout.start, scenario.memory(layout))
        for step in scenario.orders:
            self._write(writes(step, layout), layout)
            self._settle()
        found = self._found()
        self.findings, self._before = set(found - self._before), found
        return observed(self._read(REGISTERS), self._lines(), board.dram.read(layout.start, WINDOW))

    def tidy(self, stores: list[Write], layout: Layout) -> None:
        """Do what makes it ready for the next scenario."""
        self._write(stores, layout)
        self._settle()

    def _mask(self) -> None:
        """Keep the interrupts from the firmware, and enable none."""
        bits = ((1 << _LINES) - 1) << _FIRST_IRQ % 32
        at = _ICENABLER + _FIRST_IRQ // 32 * 4
        self._board.request("poke", at, "32", bits % (1 << 32), bits >> 32)
        self._board.request("poke", self._base + INTEN, "32", 0)

    def _write(self, stores: Iterable[Write], layout: Layout) -> None:
        chained: list[str | int] = []
        for store in stores:
            if store.patch:
                self._board.memory.stage(layout.start + store.offset, store.patch)
                continue
            chained += [";"] if chained else []
            chained += ["poke", self._base + store.offset, "32", store.value]
            if len(chained) > _WORDS:
                self._board.request(*chained)
                chained = []
        if chained:
            self._board.request(*chained)

    def _peek(self, addresses: list[int]) -> list[int]:
        found = []
        for first in range(0, len(addresses), _PEEKS):
            some = addresses[first : first + _PEEKS]
            words = [word for at in some for word in ("peek", at, "32", ";")][:-1]
            reply = self._board.request(*words)
            found += [
                reply.number(f"{n}.value" if len(some) > 1 else "value")
                for n in range(1, len(some) + 1)
            ]
        return found

    def _read(self, registers: dict[str, int]) -> dict[str, int]:
        values = self._peek([self._base + offset for offset in registers.values()])
        return dict(zip(registers, values, strict=True))

    def _found(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for finding in self._board.evidence.findings():
            found[finding.kind] += finding.count
        return found

    def _lines(self) -> int:
        at = _ISPENDR + _FIRST_IRQ // 32 * 4
        low, high = self._peek([at, at + 4])
        return (high << 32 | low) >> _FIRST_IRQ % 32 & (1 << _LINES) - 1

    def _settle(self) -> None:
        status = {name: at for name, at in REGISTERS.items() if "status" in name}
        for _ in range(_PIECES):
            self._board.wait(_PIECE_NS)
            if all(it & STATE in AT_REST for it in self._read(status).values()):
                return
        msg = "our controller does not come to rest"
        raise HangError(msg)


class Theirs:
    """QEMU's own controller."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._resources = ExitStack()

    def start(self) -> None:
        """Start QEMU."""
        with ExitStack() as resources:
            ram = os.memfd_create("rival-ram")
            resources.callback(os.close, ram)
            os.ftruncate(ram, _ZYNQ_RAM)
            self._memory = resources.enter_context(mmap.mmap(ram, _ZYNQ_RAM))
            mine, its = socket.socketpair()
            resources.enter_context(mine)
            arguments = (
                *("setpriv", "--pdeathsig", "KILL"),  # it does not outlive the tests
                qemu_binary(),
                *("-M", "xilinx-zynq-a9,memory-backend=ram", "-m", "2G", "-S"),
                "-object",
                f"memory-backend-file,id=ram,size=2G,mem-path=/proc/self/fd/{ram},share=on",
                *("-nodefaults", "-display", "none"),
                *("-chardev", f"socket,id=qtest,fd={its.fileno()}", "-qtest", "chardev:qtest"),
                *("-qtest-log", "/dev/null"),
            )
            process = subprocess.Popen(
                arguments,
                pass_fds=(ram, its.fileno()),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # it says that two network cards are not connected
            )
            its.close()
            resources.callback(process.wait)
            resources.callback(process.kill)
            mine.settimeout(_QTEST_SECONDS)
            self._socket, self._said, self._levels = mine, b"", 0
            self._resources = resources.pop_all()
        lines = [f"set_irq_in {_ZYNQ_PATH} unnamed-gpio-in {line} 1" for line in SILENT]
        self._tell([f"irq_intercept_out {_ZYNQ_PATH} sysbus-irq", *lines])

    def close(self) -> None:
        """End it, whatever it does."""
        self._resources.close()

    def reset(self) -> None:
        """Start anew: a reset does not make QEMU's model as good as new."""
        self.close()
        self.start()

    def run(self, scenario: Scenario, layout: Layout) -> Outcome:
        """Let a scenario happen."""
        self._memory[layout.start : layout.start + WINDOW] = scenario.memory(layout)
        for step in scenario.orders:
            self.tidy(writes(step, layout), layout)
        values = self._tell([f"readl {_ZYNQ_PL330 + at:#x}" for at in REGISTERS.values()])
        registers = {name: int(value, 16) for name, value in zip(REGISTERS, values, strict=True)}
        window = self._memory[layout.start : layout.start + WINDOW]
        return observed(registers, self._levels, window)

    def tidy(self, stores: list[Write], layout: Layout) -> None:
        """Do the stores."""
        for store in stores:
            if store.patch:
                at = layout.start + store.offset
                self._memory[at : at + len(store.patch)] = store.patch
        told = [
            f"writel {_ZYNQ_PL330 + store.offset:#x} {store.value:#x}"
            for store in stores
            if not store.patch
        ]
        self._tell(told)

    def _tell(self, lines: list[str]) -> list[str]:
        """Send commands; return what each is answered, behind its OK."""
        self._socket.sendall("".join(f"{line}\n" for line in lines).encode())
        answers: list[str] = []
        while len(answers) < len(lines):
            try:
                some = self._socket.recv(1 << 16)
            except TimeoutError:
                some = b""
            if not some:
                msg = "QEMU's controller does not come to rest"
                raise HangError(msg)
            *complete, self._said = (self._said + some).split(b"\n")
            for line in complete:
                word, *rest = line.decode().split()
                if word == "IRQ":
                    bit = 1 << int(rest[1])
                    self._levels = self._levels | bit if rest[0] == "raise" else self._levels & ~bit
                else:
                    assert word == "OK", line
                    answers.append(rest[0] if rest else "")
        return answers
