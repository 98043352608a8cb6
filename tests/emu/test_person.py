# SPDX-License-Identifier: Apache-2.0
"""`dmav3 console`, `dmav3 qmp` and `dmav3 boards`, as a person at a terminal meets them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest
from person import SECONDS, adapter_of, ask, status, value

from dmav3.installation import Layout

if TYPE_CHECKING:
    from person import Person

BOARD = "/machine/peripheral/dmav3"
#: An address that is mapped nowhere: the routine that follows it faults.
CRASH = "peek 0x0c000000 32"  # an address in the device window where no device is


def test_console_answers_and_ends_at_end_of_file(person: Person) -> None:
    """A command, a wrong one, a wrong argument, an over-long line; then Ctrl-D: status 0."""
    console = person.console()
    assert ask(console, "ping") == "ok"
    assert ask(console, "pong") == "error COMMAND unknown, try help: pong"
    assert "ARGUMENT too few or too many" in ask(console, "peek 1")
    assert "614 bytes with its frame, 512 is the most" in ask(console, "x" * 600)
    assert "cannot be a word of a line" in ask(console, "p\u00efng")
    assert ask(console, "") == ""
    assert ask(console, "ping") == "ok"
    console.sendeof()
    assert status(console) == 0


def test_interrupt_at_the_prompt_only_drops_the_line(person: Person) -> None:
    """What was typed is gone, the board is not."""
    console = person.console()
    assert ask(console, "KeRaiseIrql 2") == "ok irql=0x0"
    console.send("garbage")
    console.expect_exact("garbage")
    console.sendintr()
    console.expect("\n> ")
    assert ask(console, "KeGetCurrentIrql") == "ok irql=0x2"
    console.sendeof()
    assert status(console) == 0


def test_second_interrupt_detaches_from_a_command(person: Person) -> None:
    """QEMU is stopped, so no answer comes: the first Ctrl-C warns, the second ends it all."""
    console = person.console()
    (board,) = person.boards()
    os.kill(board["pid"], signal.SIGSTOP)
    for _ in range(20):
        console.sendline("ping")
        console.expect_exact("ping\r\n")
        console.sendintr()
        if console.expect_exact(["Ctrl-C once more detaches", "^C\r\n> "]) == 0:
            break  # else it came before the console had taken the line
    console.sendintr()
    assert status(console) == 130


def test_names_complete_and_history_is_kept(person: Person) -> None:
    """Tab completes a command; the next console has the lines of the last one."""
    console = person.console()
    console.send("KeGetC\t")
    console.expect_exact("KeGetCurrentIrql ")
    assert ask(console, "") == "ok irql=0x0"
    console.sendeof()
    assert status(console) == 0
    assert (person.home / "state/dmav3/history").read_text().strip() == "KeGetCurrentIrql"
    console = person.console()
    console.send("\x1b[A")
    console.expect_exact("KeGetCurrentIrql")
    assert ask(console, "") == "ok irql=0x0"
    console.sendeof()
    assert status(console) == 0


def test_narrow_terminal_gets_narrow_lines(person: Person) -> None:
    """At 40 columns no line of an answer is cut inside a word, and all are there."""
    console = person.console(columns=40)
    for line in (*ask(console, "help").split("\n"), *ask(console, "hello").split("\n")):
        assert len(line) <= 40 or " " not in line.strip()
    assert "MapTransferEx DmaAdapter Mdl" in ask(console, "help")
    console.sendeof()
    assert status(console) == 0


def test_callback_is_answered_by_hand(person: Person) -> None:
    """The event is shown, commands work inside, `return` ends it, then the request is answered."""
    console = person.console()
    adapter = adapter_of(console)
    context = value(ask(console, "allocate 256"), "address")
    assert ask(console, f"InitializeDmaTransferContext {adapter} {context}") == "ok status=0x0"
    ask(console, "KeRaiseIrql 2")
    entered = ask(console, f"AllocateAdapterChannelEx {adapter} 0 {context} 1 0 1 5 0", "\n!1> ")
    assert entered.startswith("!1 AdapterControl cookie=0x5 device=0x0")
    assert "return 1 VALUE" in entered
    assert ask(console, "KeGetCurrentIrql", "\n!1> ") == "ok irql=0x2"
    assert "RETURN" in ask(console, "return 2 0", "\n!1> ")
    *answers, mistake = ask(console, "return 1 3").split("\n")
    assert answers == ["ok", "ok status=0x0"]
    assert mistake.startswith("violation 0x45 in A")
    console.sendeof()
    assert status(console) == 0


def test_pipe_gets_plain_lines(person: Person) -> None:
    """An answer a line on standard output, all else on standard error; refused: status 1."""
    done = person.piped("console", lines="ping\n\nwait 5000 irq\n")
    assert done.returncode == 0
    ping, wait = done.stdout.splitlines()
    assert (ping, wait.split("=")[0]) == ("ok", "ok ended")
    assert "target remote" in done.stderr
    done = person.piped("console", lines=f"nope\n{'x' * 600}\nping")
    assert done.returncode == 1
    refused, long, ping = done.stdout.splitlines()
    assert refused.startswith("error COMMAND")
    assert "over-long" in long
    assert ping == "ok"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--machine", "vax"), "unknown machine 'vax'"),
        (("--image", "/bin/sh"), "EM_AARCH64 is needed"),
        (("--schedule", "x"), "unknown schedule 'x'"),
        (("--seed", "-1"), "seed -1"),
    ],
)
def test_wrong_option_starts_nothing(person: Person, arguments: list[str], words: str) -> None:
    """Status 2 and the value."""
    done = person.piped("console", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_coherent_machine_has_a_console_too(person: Person) -> None:
    """Its name is the board's."""
    done = person.piped("console", "--machine", "virt-a53-coherent", lines="ping\n")
    assert done.stdout == "ok\n"
    assert "board virt-a53-coherent: virt-a53-coherent, coherent" in done.stderr


def test_death_of_the_board_is_told_at_once(person: Person) -> None:
    """Nobody has to type anything for it; status 3."""
    console = person.console()
    (board,) = person.boards()
    os.kill(board["pid"], signal.SIGKILL)
    console.expect_exact("QEMU ended in mid-run (killed by signal 9)")
    assert status(console) == 3


def test_death_of_the_board_in_mid_command_is_told(person: Person) -> None:
    """The same while an answer is waited for."""
    console = person.console()
    (board,) = person.boards()
    os.kill(board["pid"], signal.SIGSTOP)
    console.sendline("ping")
    console.expect_exact("ping\r\n")
    os.kill(board["pid"], signal.SIGKILL)
    console.expect_exact("QEMU ended in mid-run (killed by signal 9)")
    assert status(console) == 3


def test_crash_of_the_firmware_leaves_the_board_for_a_look(person: Person) -> None:
    """Function and line are shown; after a reset by the monitor the shell is back."""
    console = person.console()
    report = ask(console, CRASH)
    assert "the firmware crashed in load (firmware/rpc/commands.c:" in report
    assert ", inlined in run_peek (firmware/rpc/commands.c:" in report
    assert "far=0x000000000c000000" in report
    assert "has crashed and answers nothing" in ask(console, "ping")
    monitor = person.dmav3("qmp")
    monitor.expect_exact("(QEMU) ")
    monitor.sendline("system_reset")
    monitor.expect_exact('{"return": {}}')
    monitor.sendline("")
    monitor.expect_exact("'RESET'")
    assert "the board was reset" in ask(console, "ping")
    assert ask(console, "ping") == "ok"
    monitor.sendeof()
    assert status(monitor) == 0
    console.sendeof()
    assert status(console) == 0


def test_crash_of_the_firmware_ends_a_pipe(person: Person) -> None:
    """Nobody is there to look: status 1, the firmware's."""
    done = person.piped("console", lines=f"{CRASH}\nping\n")
    assert done.returncode == 1
    assert "the firmware crashed in load (firmware/rpc/commands.c:" in done.stderr
    assert done.stdout == ""


def test_two_consoles_have_two_boards(person: Person) -> None:
    """What one does to its board the other does not see; `boards` lists both, `qmp` asks which."""
    first, second = person.console(), person.console("--seed", "7")
    assert [(board["board"], board["seed"]) for board in person.boards()] == [
        ("virt-a53", 1),
        ("virt-a53-2", 7),
    ]
    heading, *lines = person.piped("boards").stdout.splitlines()
    assert heading.split() == ["board", "machine", "seed", "schedule", "pid"]
    assert [line.split()[:4] for line in lines] == [
        ["virt-a53", "virt-a53", "1", "speculative"],
        ["virt-a53-2", "virt-a53", "7", "speculative"],
    ]
    ask(first, "KeRaiseIrql 2")
    assert ask(second, "KeGetCurrentIrql") == "ok irql=0x0"
    done = person.piped("qmp")
    assert done.returncode == 2
    assert "several boards are running, name one of them: virt-a53, virt-a53-2" in done.stderr
    done = person.piped("qmp", "vax")
    assert done.returncode == 2
    assert "no board 'vax' is running; running are: virt-a53, virt-a53-2" in done.stderr
    for console in (first, second):
        console.sendeof()
        assert status(console) == 0
    assert person.piped("boards").stdout == "no board is running\n"
    assert "no board is running" in person.piped("qmp").stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_a_console_cleanly(person: Person, number: signal.Signals) -> None:
    """At the prompt; the fixture sees that nothing is left."""
    console = person.console()
    assert console.pid is not None
    os.kill(console.pid, number)
    assert status(console) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_between_prompt_and_wait_is_not_lost(person: Person, number: signal.Signals) -> None:
    """Nothing has to be typed for it."""
    person.environment["LD_PRELOAD"] = str(
        Layout.find().built / "tests" / "preloaded_late_select.so"
    )
    console = person.console()
    assert console.pid is not None
    os.kill(console.pid, number)
    assert status(console) == 128 + number


def test_interrupt_ends_a_console_on_a_pipe(person: Person) -> None:
    """At once: nobody is there to be warned."""
    console = subprocess.Popen(
        [sys.executable, "-m", "dmav3", "console"],
        env=person.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with console:
        assert console.stderr
        for line in console.stderr:
            if line.startswith("qmp:"):
                break
        console.send_signal(signal.SIGINT)
        assert console.wait(SECONDS) == 130


def test_private_folder_that_is_not_ours_is_refused(person: Person) -> None:
    """By the console, which starts nothing, and by the lists: status 3 and what to do."""
    folder = person.runtime / f"dmav3-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o755)
    for command in ("console", "boards", "qmp"):
        done = person.piped(command)
        assert done.returncode == 3
        assert f"{folder} is open to others (mode 0755, 0700 is needed): remove it" in done.stderr
    folder.rmdir()


def test_boards_removes_what_a_killed_console_left(person: Person) -> None:
    """SIGKILL leaves the folder; QEMU ends by its lifeline."""
    console = person.console()
    (board,) = person.boards()
    qemu = os.pidfd_open(board["pid"])
    assert console.pid is not None
    os.kill(console.pid, signal.SIGKILL)
    assert status(console) == -signal.SIGKILL
    ended, _, _ = select.select([qemu], [], [], SECONDS)
    os.close(qemu)
    assert ended
    assert (person.runtime / f"dmav3-{os.geteuid()}" / "virt-a53").is_dir()
    assert person.boards() == []


def test_monitor_shell_reads_and_sets_our_properties(person: Person) -> None:
    """qmp-shell: a value is read, set, read again; a wrong one and a wrong name are refused."""
    console = person.console("--seed", "5")
    shell = person.dmav3("qmp", "virt-a53")
    shell.expect_exact("(QEMU) ")

    def qmp(line: str) -> str:
        return ask(shell, line, r"\(QEMU\) ")

    assert qmp(f"qom-get path={BOARD} property=seed") == '{"return": 5}'
    assert qmp(f"qom-set path={BOARD} property=seed value=6") == '{"return": {}}'
    assert qmp(f"qom-get path={BOARD} property=seed") == '{"return": 6}'
    assert "schedule=sometimes is not known: lru" in qmp(
        f"qom-set path={BOARD} property=schedule value=sometimes"
    )
    assert qmp(f"qom-get path={BOARD} property=schedule") == '{"return": "speculative"}'
    assert "'seed' expects" in qmp(f"qom-set path={BOARD} property=seed value=many")
    assert "can only be given at the start" in qmp(f"qom-set path={BOARD} property=nonce value=1")
    assert "not found" in qmp(f"qom-get path={BOARD} property=colour")
    assert qmp(f"qom-get path={BOARD}/stream property=tx-fifo-depth") == '{"return": 16}'
    done = person.piped("qmp")
    assert done.returncode == 3
    assert "is another `dmav3 qmp` using it" in done.stderr
    shell.sendintr()
    assert status(shell) == 130
    console.sendeof()
    assert status(console) == 0


def test_monitor_shell_tells_that_the_board_ended(person: Person) -> None:
    """Status 3, no traceback."""
    console = person.console()
    shell = person.dmav3("qmp")
    shell.expect_exact("(QEMU) ")
    console.sendeof()
    assert status(console) == 0
    shell.sendline("query-status")
    which = shell.expect_exact(["is closed", "Traceback", pexpect.EOF])
    assert which == 0
    assert status(shell) == 3
