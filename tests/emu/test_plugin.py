# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, as a project that uses it sees it: tests of tests, on the real board."""

from __future__ import annotations

import json
import os
import platform
import re
import select
import socket
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: A test whose CPU reads what a device wrote without an invalidate: one finding.
#: An id that no process has (proc(5), pid_max).
NOBODY = 1 << 23
STALE = """
    from dmav3 import DmaWidth

    def stale(board):
        buffer = board.memory.allocate(4096, name="mine")
        board.fill(buffer, 1)
        board.request("clean_invalidate", buffer.address, buffer.size)
        from_device(board, buffer.address)
        board.request("peek", board.machine.pl330[0].base + 0x100, "32")  # what tells the CPU
        board.read(buffer)

    def from_device(board, address):
        base, at = board.machine.pl330[0].base, board.memory.staging.start
        word = lambda n: n.to_bytes(4, "little")
        program = b"\\xbc\\x00" + word(at) + b"\\xbc\\x02" + word(address)
        program += b"\\xbc\\x01" + word(0x001DC077) + b"\\x04\\x08\\x13\\x00"
        program += bytes(-len(program) % 8)
        for offset in range(0, len(program), 8):
            value = int.from_bytes(program[offset : offset + 8], "little")
            board.request("poke", at + offset, "64", value)
        for register, value in ((0xD08, 0x00A00000), (0xD0C, at), (0xD04, 0)):
            board.request("poke", base + register, "32", value)
"""


#: Every QEMU that a test gets leaves its process id.
CONFTEST = """
    import pytest

    @pytest.fixture(autouse=True)
    def note(request):
        if "dmav3_board" in request.fixturenames:
            with open("pids", "a") as file:
                print(request.getfixturevalue("dmav3_board").qemu.pid, file=file)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return an empty project, and wide lines."""
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    pytester.makeconftest(CONFTEST)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest on the project in a process of its own."""
    return project.runpytest_subprocess("-rA", *options)


def assert_no_qemu_is_left(project: pytest.Pytester) -> None:
    """Wait for each process that a test had: it ends soon, if it has not."""
    pids = {int(line) for line in (project.path / "pids").read_text().split()}
    assert pids
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([handle], [], [], 10)[0], f"QEMU {pid} still runs"
        finally:
            os.close(handle)


class TestFindings:
    """A finding that nobody expected fails the test; one that was expected and missing, too."""

    def test_an_unexpected_finding_fails_the_test(self, project: pytest.Pytester) -> None:
        """The text names kind, function, file and line, and buffer."""
        project.makepyfile(STALE + "\n    def test_it(dmav3_board):\n        stale(dmav3_board)\n")
        result = run(project)
        result.assert_outcomes(failed=1)
        said = (
            r"unexpected: stale-cpu-read in memcpy \(firmware/hal/string.c:\d+\)\n"
            r"stale-cpu-read at 0x4080\d+, 4 times: .* at byte 0 of mine; "
            r"the CPU's access was in memcpy \(firmware/hal/string.c:\d+\); "
        )
        assert re.search(said, result.stdout.str())

    def test_an_unexpected_violation_fails_the_test(self, project: pytest.Pytester) -> None:
        """The text names the code, the routine and the mistake; a driver in C is seen as well."""
        project.makepyfile(
            "def test_it(dmav3_board):\n"
            "    with dmav3_board.dma.irql(2):\n"
            "        dmav3_board.request('FreeAdapterChannel', 0)\n"
        )
        result = run(project)
        result.assert_outcomes(failed=1)
        said = r"violation 0x19 in FreeAdapterChannel, called in test_it \(.*:3\): the adapter is"
        assert re.search(said, result.stdout.str())

    def test_an_expected_finding_passes(self, project: pytest.Pytester) -> None:
        """`expect` consumes exactly what its block caused."""
        project.makepyfile(
            STALE
            + """
    def test_it(dmav3_board):
        with dmav3_board.expect("stale-cpu-read"):
            stale(dmav3_board)
    """
        )
        run(project).assert_outcomes(passed=1)

    def test_a_missing_finding_fails_the_test(self, project: pytest.Pytester) -> None:
        """A failure, not an error: the firmware or its test is wrong."""
        project.makepyfile(
            "def test_it(dmav3_board):\n"
            "    with dmav3_board.expect('stale-cpu-read'):\n"
            "        dmav3_board.request('ping')\n"
        )
        result = run(project)
        result.assert_outcomes(failed=1)
        assert "1 of stale-cpu-read expected, there were 0" in result.stdout.str()

    def test_findings_of_one_test_are_not_the_next_ones(self, project: pytest.Pytester) -> None:
        """After the failure there is a fresh process, and nothing is left of it."""
        project.makepyfile(
            STALE
            + """
    def test_one(dmav3_board):
        stale(dmav3_board)

    def test_two(dmav3_board):
        assert dmav3_board.findings() == []
    """
        )
        run(project).assert_outcomes(failed=1, passed=1)


class TestBoards:
    """Which process a test gets."""

    PIDS = """
    import pytest

    pids = []

    def test_one(dmav3_board):
        pids.append(dmav3_board.qemu.process.pid)

    def test_two(dmav3_board):
        pids.append(dmav3_board.qemu.process.pid)
        assert pids[0] == pids[1]

    @pytest.mark.dmav3_cache(schedule="lru", seed=7)
    def test_other_cache(dmav3_board):
        assert dmav3_board.qemu.process.pid == pids[0]
        assert dmav3_board.qmp.get("schedule") == "lru"
        assert dmav3_board.qmp.get("seed") == 7

    def test_cache_as_before(dmav3_board):
        assert dmav3_board.qemu.process.pid == pids[0]
        assert dmav3_board.qmp.get("schedule") == "speculative"
        assert dmav3_board.qmp.get("seed") == 1

    @pytest.mark.dmav3_machine("virt-a53-coherent")
    def test_other_machine(dmav3_board):
        assert dmav3_board.machine.name == "virt-a53-coherent"
        assert dmav3_board.qemu.process.pid != pids[0]

    @pytest.mark.dmav3_fresh
    def test_fresh(dmav3_board):
        assert dmav3_board.qemu.process.pid != pids[0]
        pids.append(dmav3_board.qemu.process.pid)

    def test_fails(dmav3_board):
        assert dmav3_board.qemu.process.pid != pids[2], "on purpose"

    def test_after_a_failure(dmav3_board):
        assert dmav3_board.qemu.process.pid not in pids
    """

    def test_a_process_serves_many_tests(self, project: pytest.Pytester) -> None:
        """Reset by default; fresh by mark and after a failure; no QEMU is left."""
        project.makepyfile(self.PIDS)
        run(project).assert_outcomes(passed=7, failed=1)
        assert_no_qemu_is_left(project)

    def test_options_are_for_all_tests(self, project: pytest.Pytester) -> None:
        """They are the defaults; a schedule means nothing to a coherent machine."""
        project.makepyfile(
            """
    import pytest

    def test_options(dmav3_board):
        assert (dmav3_board.qemu.seed, dmav3_board.qemu.schedule) == (5, "lru")

    @pytest.mark.dmav3_cache(seed=6)
    def test_mark(dmav3_board):
        assert (dmav3_board.qemu.seed, dmav3_board.qemu.schedule) == (6, "lru")

    @pytest.mark.dmav3_machine("virt-a53-coherent")
    def test_coherent(dmav3_board):
        assert (dmav3_board.qemu.seed, dmav3_board.qemu.schedule) == (5, None)
    """
        )
        run(project, "--dmav3-seed=5", "--dmav3-schedule=lru").assert_outcomes(passed=3)

    def test_workers_have_boards_of_their_own(self, project: pytest.Pytester) -> None:
        """pytest-xdist: failures and errors arrive as what they are."""
        project.makepyfile(
            "import os, signal\n"
            "def test_passes(dmav3_board): dmav3_board.request('ping')\n"
            "def test_fails(dmav3_board): assert not dmav3_board\n"
            "def test_dies(dmav3_board):\n"
            "    os.kill(dmav3_board.qemu.process.pid, signal.SIGKILL)\n"
            "    dmav3_board.request('ping')\n"
        )
        run(project, "-n2").assert_outcomes(passed=1, failed=1, errors=1)

    @pytest.mark.parametrize("method", ["signal", "thread"])
    def test_a_test_that_times_out_leaves_no_qemu(
        self, project: pytest.Pytester, method: str
    ) -> None:
        """pytest-timeout, in both of its ways."""
        project.makepyfile(
            "import threading\ndef test_hangs(dmav3_board): threading.Event().wait()\n"
        )
        # Only the test counts: on a busy machine the board alone may take a second to start.
        timeout = ["--timeout=1", "-o", "timeout_func_only=true", f"--timeout-method={method}"]
        result = run(project, *timeout)
        assert "Timeout" in result.stdout.str() + result.stderr.str()
        assert_no_qemu_is_left(project)


class TestWhoseFault:
    """Errors of the environment are errors, those of the firmware failures."""

    KILL = """
    import os, signal

    def kill(board):
        os.kill(board.qemu.process.pid, signal.SIGKILL)
        board.request("ping")
    """
    KILLED = (
        KILL
        + """
    def test_it(dmav3_board):
        kill(dmav3_board)
    """
    )

    def test_the_environment_gives_an_error_in_the_test(self, project: pytest.Pytester) -> None:
        """QEMU is killed: inconclusive, and said to be."""
        project.makepyfile(self.KILLED)
        result = run(project, "--junitxml=report.xml")
        result.assert_outcomes(errors=1)
        assert re.search(r"ERROR .*::test_it - inconclusive: QemuDied", result.stdout.str())
        case = ET.parse(project.path / "report.xml").getroot().find(".//testcase")  # noqa: S314
        assert case is not None
        assert [child.tag for child in case if child.tag != "properties"] == ["error"]

    def test_an_xfail_mark_hides_no_error(self, project: pytest.Pytester) -> None:
        """What is expected to fail is the firmware."""
        project.makepyfile(
            self.KILL
            + """
    import pytest

    @pytest.mark.xfail(strict=True)
    def test_it(dmav3_board):
        kill(dmav3_board)
    """
        )
        run(project).assert_outcomes(errors=1)

    def test_the_environment_gives_an_error_in_the_fixture(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No QEMU: every test is inconclusive."""
        monkeypatch.setenv("DMAV3_QEMU", "no-such-qemu")
        project.makeconftest("")
        project.makepyfile("def test_it(dmav3_board): pass\n")
        result = run(project)
        result.assert_outcomes(errors=1)
        assert "inconclusive: QemuMissingError: cannot start no-such-qemu" in result.stdout.str()

    def test_a_board_without_the_fixture_counts_too(self, project: pytest.Pytester) -> None:
        """A test that starts its own board is judged alike."""
        project.makepyfile(
            "from dmav3 import Board\n"
            "import os, signal\n"
            "def test_it():\n"
            "    with Board() as board:\n"
            "        os.kill(board.qemu.process.pid, signal.SIGKILL)\n"
            "        board.request('ping')\n"
        )
        run(project).assert_outcomes(errors=1)

    def test_a_crash_of_the_firmware_is_a_failure(self, project: pytest.Pytester) -> None:
        """The report has the fault, function and line; the next test gets a fresh process."""
        project.makepyfile(
            """
    def test_crash(dmav3_board):
        dmav3_board.request("peek", 0x0C000000, "32")

    def test_next(dmav3_board):
        dmav3_board.request("ping")
    """
        )
        result = run(project)
        result.assert_outcomes(failed=1, passed=1)
        said = r"the firmware crashed in \w+ \(firmware/.*:\d+\): a load from 0x.*\(kind="
        assert re.search(said, result.stdout.str())


class TestImage:
    """The fixture with a driver of the project's own."""

    DRIVER = """
    #include <dmav3.h>
    static NTSTATUS Answer(const ULONGLONG *argument, struct dmav3_reply *reply)
    {
        (void)argument;
        dmav3_reply_value(reply, "value", ANSWER);
        return STATUS_SUCCESS;
    }
    DMAV3_COMMAND(answer, "", Answer);
    """
    TESTS = """
    import pytest

    @pytest.mark.dmav3_image("driver.c", define=["ANSWER=1"])
    @pytest.mark.parametrize("again", range(2))
    def test_one(dmav3_board, again):
        assert dmav3_board.call("answer")["value"] == 1

    @pytest.mark.dmav3_image("driver.c", define=["ANSWER=2"])
    def test_two(dmav3_board):
        assert dmav3_board.call("answer")["value"] == 2
    """

    def test_it_is_built_once_for_what_it_is_made_of(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Files are beside the test, wherever pytest was started; an ELF is taken as it is."""
        folder = project.mkdir("inner")
        (folder / "driver.c").write_text(self.DRIVER)
        (folder / "test_it.py").write_text(textwrap.dedent(self.TESTS))
        calls = project.path / "calls"
        calls.write_text(f'#!/bin/sh\necho >>{calls}.log\nexec clang-19 "$@"\n')
        calls.chmod(0o755)
        monkeypatch.setenv("CC", str(calls))
        run(project, "--basetemp=kept").assert_outcomes(passed=3)
        compiled_read_and_linked = 3
        assert len((project.path / "calls.log").read_text()) == 2 * compiled_read_and_linked
        (image, *_) = sorted((project.path / "kept").glob("*.elf"))
        image.rename(folder / "app.elf")
        (folder / "test_it.py").write_text(
            "import pytest\n"
            "@pytest.mark.dmav3_image('app.elf')\n"
            "def test_it(dmav3_board): dmav3_board.call('answer')\n"
        )
        run(project).assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("mark", "said"),
        [
            ("'missing.c'", "missing.c"),
            ("'wrong.c'", "does not compile"),
            ("", "it needs a text; such as dmav3_image"),
            ("'wrong.c', optimize=2", "does not take these arguments"),
        ],
    )
    def test_what_cannot_be_built_is_an_error(
        self, project: pytest.Pytester, mark: str, said: str
    ) -> None:
        """It names the file, or the mark."""
        (project.path / "wrong.c").write_text("#error on purpose\n")
        project.makepyfile(
            f"import pytest\n@pytest.mark.dmav3_image({mark})\ndef test_it(dmav3_board): pass\n"
        )
        project.makeconftest("")
        result = run(project)
        assert result.ret != 0
        assert said in result.stdout.str() + result.stderr.str()
        assert "passed" not in result.stdout.str()


class TestArtefacts:
    """What a failed test leaves, and what reports say."""

    FILES = (
        *("console.log", "qmp.jsonl", "qemu.log"),
        *("findings.json", "events.jsonl", "trace.txt", "calls.txt", "run.json"),
        *("recording.jsonl", "machine.yaml", "image.elf"),
    )

    def folders(self, project: pytest.Pytester) -> list[Path]:
        """Return the folders with artefacts."""
        return sorted({path.parent for path in project.path.glob(".dmav3/*/*/console.log")})

    def test_a_failed_test_keeps_its_own(self, project: pytest.Pytester) -> None:
        """Named in the report; a passed test leaves nothing."""
        project.makepyfile(
            STALE
            + """
    def test_passes(dmav3_board):
        dmav3_board.request("ping")

    def test_fails(dmav3_board):
        stale(dmav3_board)
    """
        )
        result = run(project)
        (folder,) = self.folders(project)
        assert str(folder) in result.stdout.str()
        assert sorted(path.name for path in folder.iterdir()) == sorted(self.FILES)
        console = (folder / "console.log").read_text().splitlines()
        assert console[0].startswith("> @1 hello")
        assert console[1].startswith("< @1 ok level=0x2 ")
        assert not any("ping" in line for line in console)
        (finding,) = json.loads((folder / "findings.json").read_text())
        assert (finding["kind"], finding["expected"]) == ("stale-cpu-read", False)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        assert {"reset", "command", "ready", "dmago", "finding"} <= {one["kind"] for one in events}
        ran = json.loads((folder / "run.json").read_text())
        assert (ran["machine"], ran["seed"], ran["schedule"]) == ("virt-a53", "1", "speculative")
        assert (ran["dmav3"], ran["python"]) == (version("dmav3"), platform.python_version())
        assert "test_fails" in ran["test"]
        assert (ran["folder"], ran["host"]) == (str(project.path), platform.platform())
        assert all(ran[built] for built in ("qemu", "build", "extension"))
        assert "-rA" in ran["arguments"]
        assert "-- DMAGO starts it" in (folder / "trace.txt").read_text()
        assert (folder / "qmp.jsonl").read_text().startswith('{"command": {"execute": ')
        again = re.escape(f"again, in {project.path}: {ran['again']}")
        assert re.search(rf"machine virt-a53, seed 1, .*\n{again}\n", result.stdout.str())
        assert "test_fails - Failed: unexpected: stale-cpu-read in memcpy" in result.stdout.str()

    REFUSED = """
    def test_it(dmav3_board):
        assert dmav3_board.IoGetDmaAdapter(Version=1) is not None
    """

    @pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "xdist"])
    def test_a_refusal_is_told_with_its_reason(
        self, project: pytest.Pytester, options: tuple[str, ...]
    ) -> None:
        """On the terminal, and in the list of calls; the run has one folder."""
        project.makepyfile(self.REFUSED)
        result = run(project, *options)
        said = "STATUS_UNSUCCESSFUL (0xc0000001): Version 1 of DEVICE_DESCRIPTION: only 3 is served"
        assert said in result.stdout.str()
        (folder,) = self.folders(project)
        (call,) = (folder / "calls.txt").read_text().splitlines()
        assert re.match(
            r"IoGetDmaAdapter\(Physical.*=0x.*\), called in test_it \(.*\.py:2\), ", call
        )
        assert said in call
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        assert "IoGetDmaAdapter" in {one.get("name") for one in events}

    def test_the_last_ten_runs_stay(self, project: pytest.Pytester) -> None:
        """Where `--dmav3-artefacts` says; what else is there stays, too."""
        project.makepyfile(self.REFUSED)
        for day in range(10, 22):
            (project.path / "kept" / f"200001{day}-000000-{NOBODY}" / "test").mkdir(parents=True)
        (project.path / "kept" / "mine").mkdir()
        run(project, "--dmav3-artefacts=kept")
        left = sorted(path.name for path in (project.path / "kept").iterdir() if path.is_dir())
        assert left[:9] == [f"200001{day}-000000-{NOBODY}" for day in range(13, 22)]
        assert left[10:] == ["mine"]
        assert not (project.path / ".dmav3").exists()

    def test_a_dead_board_has_artefacts_too(self, project: pytest.Pytester) -> None:
        """What QEMU said last, and what its memory shows."""
        project.makepyfile(TestWhoseFault.KILLED)
        run(project)
        (folder,) = self.folders(project)
        assert sorted(path.name for path in folder.iterdir()) == sorted(self.FILES)

    def test_keep_is_for_passed_tests(self, project: pytest.Pytester) -> None:
        """The JUnit file says where they are, and what the test ran on."""
        project.makepyfile(
            "import pytest\n"
            "@pytest.mark.dmav3_rule('MTX-07')\n"
            "def test_it(dmav3_board): dmav3_board.request('ping')\n"
        )
        run(project, "--dmav3-keep", "--junitxml=report.xml")
        (folder,) = self.folders(project)
        found = ET.parse(project.path / "report.xml").getroot().iter("property")  # noqa: S314
        properties = {one.attrib["name"]: one.attrib["value"] for one in found}
        assert re.fullmatch(r"\d+\.\d+\.\d+", properties.pop("dmav3_qemu"))
        for built in ("dmav3_build", "dmav3_extension"):
            assert re.fullmatch(r"[0-9a-f]{16,}", properties.pop(built))
        assert properties == {
            "dmav3_machine": "virt-a53",
            "dmav3_seed": "1",
            "dmav3_schedule": "speculative",
            "dmav3_rule": "MTX-07",
            "dmav3_artefacts": str(folder),
        }


class TestMisuse:
    """Wrong values end the run before any test, naming the value and one that works."""

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            (
                "--dmav3-machine=vax",
                "unknown machine 'vax'; known are: .*such as --dmav3-m",
            ),
            ("--dmav3-schedule=lazy", "unknown schedule 'lazy'; .*such as --dmav3-schedule lru"),
            ("--dmav3-seed=many", "'many'; such as --dmav3-seed 1"),
            ("--dmav3-seed=-1", "seed -1 is not in 0 to .*; such as --dmav3-seed 1"),
            (
                "--dmav3-image=conftest.py",
                "conftest.py: is not an ELF file .*such as --dmav3-image",
            ),
            ("--dmav3-image=no.elf", "no.elf: cannot be read: .*such as --dmav3-image"),
        ],
    )
    def test_options(self, project: pytest.Pytester, option: str, said: str) -> None:
        """Every option that takes a value."""
        project.makepyfile("def test_it(dmav3_board): pass\n")
        result = project.runpytest_inprocess("-p", "no:xdist", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert re.search(said, result.stderr.str())

    @pytest.mark.parametrize(
        ("mark", "said"),
        [
            ("dmav3_machine('vax')", "unknown machine 'vax'; .*such as dmav3_machine\\("),
            ("dmav3_machine(3)", "it needs a text; such as dmav3_machine"),
            ("dmav3_cache('lru')", "does not take these arguments; such as dmav3_cache\\("),
            ("dmav3_cache(schedule='lazy')", "unknown schedule 'lazy'; known are: lru"),
            ("dmav3_cache(seed='x')", "seed 'x' is not in 0 to"),
            ("dmav3_fresh(1)", "dmav3_fresh\\(1\\): it does not take these arguments"),
            (
                "dmav3_rule('MTX-70')",
                "unknown rule 'MTX-70'; is MTX-\\d+ meant\\?; such as dmav3_rule",
            ),
            ("dmav3_rule('TBL-01', 7)", "it needs a text; such as dmav3_rule\\("),
            ("dmav3_rule()", "it needs a text; such as dmav3_rule\\("),
            ("dmav3_host(1)", "it does not take these arguments; such as dmav3_host"),
        ],
    )
    def test_marks(self, project: pytest.Pytester, mark: str, said: str) -> None:
        """Each says at which test."""
        project.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_it(dmav3_board): pass\n")
        result = project.runpytest_inprocess("-p", "no:xdist")
        assert re.search(f"::test_it: .*{said}", result.stderr.str() + result.stdout.str())
        assert result.ret == pytest.ExitCode.USAGE_ERROR

    def test_marks_of_a_worker(self, project: pytest.Pytester) -> None:
        """Under pytest-xdist no test runs, and each says why."""
        project.makepyfile(
            "import pytest\n"
            "@pytest.mark.dmav3_fresh(1)\n"
            "def test_it(dmav3_board): pass\n"
            "def test_other(): pass\n"
        )
        result = run(project, "-n1")
        result.assert_outcomes(errors=2)
        assert "::test_it: dmav3_fresh(1): it does not take these" in result.stdout.str()

    def test_gdb_needs_one_process(self, project: pytest.Pytester) -> None:
        """A person cannot attach to several at once."""
        result = run(project, "--dmav3-gdb", "-n2")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "such as -n 0" in result.stderr.str()


def test_gdb_attaches_before_the_test(project: pytest.Pytester) -> None:
    """The board waits; the printed command names the image and a socket, which answers."""
    project.makepyfile("def test_it(dmav3_board): dmav3_board.request('ping')\n")
    command = [sys.executable, "-m", "pytest", "--dmav3-gdb"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = next(line for line in child.stdout if "target remote" in line)
        found = re.search(r"gdb-multiarch .*virt-a64.elf -ex 'target remote (.*)'", line)
        assert found is not None
        with socket.socket(socket.AF_UNIX) as gdb:
            gdb.connect(found[1])
            for packet in (b"+$?#3f", b"+$c#63"):
                gdb.sendall(packet)
                gdb.recv(1000)
            rest = child.stdout.read()
    assert "1 passed" in rest
