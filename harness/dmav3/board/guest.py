# SPDX-License-Identifier: Apache-2.0
"""A whole system on the same silicon: a kernel as it is, or a bare-metal program, without the shim.

::

    with Guest("vmlinuz", initrd="initrd.cpio", devices=["nvme"]) as guest:
        guest.console.expect("login:")
        guest.run("dd if=/dev/nvme0n1 of=/dev/null count=1")
        guest.findings()

A guest runs all the time; what is read of it is read while it is stopped for that moment.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pexpect

from dmav3.deadlines import allowance
from dmav3.elf.image import read_elf, read_extension
from dmav3.elf.nameless import Nameless
from dmav3.errors import DeadlineError, Dmav3Error, HangError, UsageError
from dmav3.evidence.evidence import BoardEvidence
from dmav3.evidence.probe import Probe
from dmav3.files import open_regular
from dmav3.guest.windows import Mapping, Window
from dmav3.machine.argv import Boot, Start
from dmav3.machine.description import Machine, load
from dmav3.machine.schedule import checked_schedule, checked_seed
from dmav3.machine.tree import device_tree
from dmav3.qemu.process import Process, qemu_binary
from dmav3.qemu.qmp import Monitor

from .emulator import where
from .started import Started, forget_parts
from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dmav3.elf.image import Elf
    from dmav3.evidence.findings import Finding
    from dmav3.machine.description import Device

    from .terminal import Result

_CPU = "EM_AARCH64"
#: How a kernel begins that QEMU takes, at which byte: an arm64 Image, the same compressed by gzip,
#: one in an EFI application that unpacks it.
_KERNELS = {0x38: b"ARM\x64", 0: b"\x1f\x8b", 4: b"zimg"}
#: How much of the console an error tells.
_TAIL_CHARACTERS = 400
#: What a guest asked for, by QEMU's reason of its SHUTDOWN.
_ENDINGS = {"guest-shutdown": "off", "guest-reset": "reset", "guest-panic": "panic"}


class Guest:
    """A system that runs on a machine with the cache model; a context manager.

    Leaving it ends QEMU, and raises `FindingsError` for findings that nobody expected.

    :ivar machine: its description.
    :ivar image: symbols that explain addresses.
    :ivar console: its first serial line, with pexpect's interface: `expect`, `send`, `sendline`.
    :ivar cpu, dram: RAM as the CPU and as devices see it, while the guest is `paused`.
    :ivar evidence: findings and costs, while the guest is `paused`.
    """

    console = Started[Terminal]()
    cpu = Started[Window]()
    dram = Started[Window]()
    evidence = Started[BoardEvidence]()

    def __init__(
        self,
        kernel: Path | str,
        *,
        machine: str | Path | Machine = "virt-a53",
        initrd: Path | str | None = None,
        command_line: str = "console=ttyAMA0 panic=-1",
        symbols: Path | str | None = None,
        memory_mib: int = 256,
        devices: Iterable[Device | str] = (),
        coherent: bool | None = None,
        network: bool = False,
        seed: int = 1,
        schedule: str | None = None,
        judge: bool = True,
    ) -> None:
        """Check every argument and file; start nothing yet.

        :param kernel: an arm64 Image, also compressed, or an ELF for AArch64.
        :param initrd: the initial RAM disk.
        :param symbols: an ELF that explains addresses, such as vmlinux; None: the kernel, if it is
            an ELF.
        :param devices: PCI devices of QEMU's own, as of `Board`.
        :param coherent: what the guest's device tree says of its devices; None: what is so.
        :param network: let a device name `netdev=net`: QEMU's own network, without this computer.
        :param judge: let the end of the `with` block raise `FindingsError`.
        :raises UsageError: an argument, or a file that one names, is wrong.
        :raises NotBuiltError: the extension has not been built.
        """
        described = machine if isinstance(machine, Machine) else load(machine)
        described = Machine.model_validate(described.model_dump() | {"memory_mib": memory_mib})
        self.machine = described.with_devices(devices)
        kernel, initrd = Path(kernel).absolute(), Path(initrd).absolute() if initrd else None
        named = Path(symbols) if symbols else kernel
        self.image: Elf = Nameless()
        if _is_elf(kernel) or symbols:
            self.image = read_elf(named, _CPU)
        if initrd:
            _begin(initrd)
        tree = device_tree(self.machine, coherent=coherent)
        self._start = Start(
            qemu=qemu_binary(),
            extension=read_extension().path,
            image=Boot(tree, kernel, initrd, command_line, network),
            nonce=0,
            seed=checked_seed(seed),
            schedule=checked_schedule(self.machine, schedule),
        )
        self.judges = judge
        self._is_paused = False

    def __enter__(self) -> Self:
        """Start the guest, which runs from then on; raises a `QemuError` if QEMU refuses."""
        with ExitStack() as resources:
            resources.callback(forget_parts, self)
            process = resources.enter_context(Process(self.machine, self._start))
            self.console = resources.enter_context(Terminal(process.serial))
            resources.callback(process.stop)
            self._process = process
            self._monitor = resources.enter_context(Monitor(process.monitor))
            resources.callback(process.quit, lambda: self._monitor.execute("quit"))
            try:
                self._monitor.execute("query-status")
            except Dmav3Error:
                raise self._process.early_end() from None
            self._map(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it; raises `FindingsError` for what nobody expected, if nothing else is wrong."""
        with self._resources:
            if self.judges and kind is None:
                self.check()

    def check(self) -> None:
        """Judge what has happened since the start, as the end of the `with` block does.

        :raises FindingsError: there are findings that nobody expected. Nothing is consumed.
        """
        with self.paused():
            self.evidence.judge()

    def findings(self) -> list[Finding]:
        """Return what the cache model has found since the start, explained."""
        with self.paused():
            return self.evidence.findings()

    def costs(self) -> list[dict[str, Any]]:
        """Return how much maintenance since the start changed nothing, by function."""
        with self.paused():
            return self.evidence.costs()

    @contextmanager
    def expect(self, kind: str, count: int = 1) -> Iterator[None]:
        """Let the block cause exactly so many findings of a kind, and consume them.

        :raises FindingsError: there were fewer or more; none is consumed.
        :raises UsageError: there is no such kind, or `count` is below 1.
        """
        with ExitStack() as expected:
            with self.paused():
                expected.enter_context(self.evidence.expect(kind, count=count))
            yield
            with self.paused():
                expected.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the guest inside the block, unless it is stopped or has ended."""
        if self._is_paused or self.ending:
            yield
            return
        self._monitor.execute("stop")
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False
            self._monitor.execute("cont")

    @property
    def ending(self) -> str:
        """How the guest has ended: "off", "reset" or "panic"; empty while it has not."""
        for event in self._monitor.events:
            if event["event"] == "SHUTDOWN":
                reason = str(event["data"]["reason"])
                return _ENDINGS.get(reason, reason)
        return ""

    def wait(self) -> str:
        """Return how the guest ends (`ending`) when it has.

        :raises HangError: it has not, in the time that `dmav3.deadline` gives.
        """
        try:
            self._monitor.wait_event("SHUTDOWN", 0)
        except DeadlineError as error:
            raise self._hang(error) from None
        return self.ending

    def run(self, command: str) -> Result:
        """Run a command of the guest's shell; `Terminal.AGENT` must have been started there.

        :raises HangError: it has not ended in the time that `dmav3.deadline` gives.
        :raises UsageError: it is too long.
        """
        seconds = allowance()
        try:
            return self.console.run(command)
        except pexpect.TIMEOUT:
            raise self._hang(DeadlineError("an answer of the guest", seconds)) from None
        except pexpect.EOF:
            raise self._process.death() from None

    def _hang(self, error: DeadlineError) -> HangError:
        """Say where the CPU is, and what the console said last."""
        hang = HangError(error, Context().run(self._place))
        hang.add_note(f"the console said last: {self.console.transcript[-_TAIL_CHARACTERS:]}")
        return hang

    def _place(self) -> str:
        with suppress(Dmav3Error):
            return where(self._monitor, self.image)
        return "an unknown place"

    def _map(self, resources: ExitStack) -> None:
        def view(fd: int) -> memoryview:
            return resources.enter_context(Mapping(fd)).view

        probe = Probe(view(self._process.probe), read_extension(), self._stands_still)
        self.cpu = Window("CPU view", view(self._process.ram), probe.ram_base, probe.settle)
        self.dram = Window("DRAM", view(self._process.dram), probe.ram_base, probe.settle)
        self.evidence = BoardEvidence(probe, self.image, _Ram(self.cpu), lambda _: "", ())

    def _stands_still(self) -> bool:
        return self._is_paused or bool(self.ending) or not self._process.running


class _Ram:
    """What findings ask of memory, of which nobody here has allocated a buffer."""

    def __init__(self, view: Window) -> None:
        self._view = view

    def locate(self, physical: int) -> None:
        """Return that it is in no buffer."""
        del physical

    def look(self, physical: int, length: int) -> bytes:
        """Return bytes as the CPU sees them."""
        return self._view.read(physical, length)


def _is_elf(kernel: Path) -> bool:
    """Return whether a kernel is an ELF, else an Image.

    :raises UsageError: it is neither.
    """
    begin = _begin(kernel)
    if begin.startswith(b"\x7fELF"):
        return True
    if any(begin[at:].startswith(magic) for at, magic in _KERNELS.items()):
        return False
    msg = f"{kernel} is no kernel for AArch64: an arm64 Image is needed, or an ELF"
    raise UsageError(msg)


def _begin(path: Path) -> bytes:
    """Return the first bytes of a file; raises `UsageError` if it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(0x40)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
