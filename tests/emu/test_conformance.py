# SPDX-License-Identifier: Apache-2.0
"""`dmav3 conformance`: verdicts, evidence and exit status, on tests that are made for it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from dmav3 import installation
from dmav3.command.cli import app
from dmav3.conformance import run
from dmav3.elf.image import read_elf, read_extension
from dmav3.rules.rules import rules

if TYPE_CHECKING:
    from collections.abc import Callable

SHELL_LESS = installation.Layout.find().built / "bench" / "copy.elf"
#: What a test of rules looks like.
HEAD = """\
import io
import pytest
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
"""
PASSES = """
@pytest.mark.dmav3_rule("IGA-02", "FBX-15")
def test_passes(dmav3_board):
    with dmav3_board.evidence.expect_violations(0x25):
        assert dmav3_board.IoGetDmaAdapter(Version=4) is None
"""
FAILS = """
@pytest.mark.dmav3_rule("IGA-02", "IGA-01")
@pytest.mark.parametrize("version", [3, 2])
def test_fails(dmav3_board, version):
    assert dmav3_board.IoGetDmaAdapter(Version=version) is None, "it is <there>"
"""
ELSEWHERE = """
@pytest.mark.dmav3_machine("virt-a53-coherent")
@pytest.mark.dmav3_rule("CCH-06")
def test_elsewhere(dmav3_board):
    assert False
"""
SKIPS = """
@pytest.mark.dmav3_rule("CCH-02")
def test_skips(dmav3_board):
    pytest.skip("there is no cache")
"""
ON_THE_HOST = """
@pytest.mark.dmav3_host
@pytest.mark.dmav3_rule("GEN-01")
def test_on_the_host():
    pass
"""
CALLS_OFTEN = """
@pytest.mark.dmav3_rule("IGA-02")
def test_calls_often(dmav3_board):
    for _ in range(200):
        dmav3_board.IoGetDmaAdapter(Version=3)
"""
HANGS = """
@pytest.mark.dmav3_rule("TBL-01")
def test_hangs():
    import threading
    threading.Event().wait()
"""
NAMES_NO_RULE = """
def test_names_no_rule():
    assert False
"""
IN_C = """\
#include "check.h"
TEST(it_fails, "MTX-07")
{
    CHECK_EQ(2, 2);
    CHECK(1 == 2);
}
int main(int argc, char **argv)
{
    return check_main(argc, argv, NULL);
}
"""
RUNS_C = """
from pathlib import Path
from dmav3 import installation
installation.rule_tests = lambda: [Path("{program}")]
from dmav3.conformance.tests.test_host_programs import test_in_c
"""
SENDS = """
@pytest.mark.dmav3_rule("CCH-02")
def test_sends(dmav3_board):
    with dmav3_board.expect("stale-device-read", routine="MapTransferEx"):
        MainJob(StreamPeripheral(dmav3_board, 32)).run(io.BytesIO(bytes(range(64))))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder whose tests decide the rules."""
    monkeypatch.setattr(run, "TESTS", tmp_path)
    return tmp_path


def write(folder: Path, *tests: str) -> None:
    """Let these tests decide the rules."""
    (folder / "test_some.py").write_text(HEAD + "".join(tests))


def conformance(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["conformance", *map(str, arguments)])


def verdicts(result: Result) -> dict[str, dict[str, Any]]:
    """Return the rules of --json by id."""
    return {rule["id"]: rule for rule in json.loads(result.stdout)["rules"]}


def test_json_has_every_rule_with_six_keys(folder: Path) -> None:
    """In the order of the rules; what no test names is undecided, and nothing failed."""
    write(folder, PASSES, SKIPS, ON_THE_HOST, NAMES_NO_RULE, ELSEWHERE)
    result = conformance("--json", "--seed", 5, "--schedule", "lru")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    image = read_elf(installation.firmware("virt-a64"), "EM_AARCH64")
    assert (report["machine"], report["image"]) == ("virt-a53", "virt-a64")
    assert report["extension"] == read_extension().build_id
    assert (report["build"], report["seed"], report["schedule"]) == (image.build_id, 5, "lru")
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", report["qemu"])
    assert datetime.fromisoformat(report["started"]) <= datetime.now().astimezone()
    assert report["seconds"] > 0
    assert report["counts"] == Counter(rule["verdict"] for rule in report["rules"]) | {"fail": 0}
    assert [rule["id"] for rule in report["rules"]] == list(rules().rules)
    for rule in report["rules"]:
        assert list(rule) == ["id", "source", "verdict", "reading", "tests", "reason"]
        assert (rule["reason"] is None) == (rule["verdict"] == "pass")
    found = verdicts(result)
    assert found["FBX-15"] == {
        "id": "FBX-15",
        "source": "doc+inferred",
        "verdict": "pass",
        "reading": "OQ-06",
        "tests": ["test_some.py::test_passes"],
        "reason": None,
    }
    assert found["GEN-01"]["verdict"] == "pass (host)"
    assert found["CCH-06"]["verdict"] == "not applicable"
    assert found["CCH-06"]["reason"].endswith("is for this machine: it asks for virt-a53-coherent")
    assert found["CCH-02"]["reason"] == "there is no cache"
    assert found["MTX-07"]["reason"] == "no test decides it"
    assert found["DOM-01"]["verdict"] == "out-of-scope"


def test_only_tests_of_the_rules_asked_for_run(folder: Path) -> None:
    """A test that names no rule never does."""
    write(folder, PASSES, ON_THE_HOST, NAMES_NO_RULE)
    passes, host = "test_some.py::test_passes", "test_some.py::test_on_the_host"
    assert run.collected(run.ConformanceOptions()) == {
        passes: ["IGA-02", "FBX-15"],
        host: ["GEN-01"],
    }
    assert set(run.collected(run.ConformanceOptions(rules=("FBX", "TBL")))) == {passes}


def test_a_failing_test_fails_each_of_its_rules(folder: Path) -> None:
    """Whatever other tests of them say; the terminal shows rule, question and test."""
    write(folder, PASSES, FAILS)
    result = conformance("--rule", "IGA", "--json")
    assert result.exit_code == 1
    found = verdicts(result)
    assert set(found) == {rule for rule in rules().rules if rule.startswith("IGA")}
    failed = {rule for rule, one in found.items() if one["verdict"] == "fail"}
    assert failed == {"IGA-01", "IGA-02"}
    assert found["IGA-02"]["reason"].startswith(
        "test_some.py::test_fails[3]: AssertionError: it is"
    )
    assert len(found["IGA-02"]["tests"]) == 3
    shown = conformance("--rule", "IGA-01", "--rule", "FBX-15")
    assert shown.exit_code == 1
    assert "IGA-01 [doc] fail" in shown.stdout
    assert "failed: test_some.py::test_fails[3]" in shown.stdout
    assert "FBX-15 [doc+inferred] pass (our reading, OQ-06)" in shown.stdout
    assert "OQ-06: flush of a running SYS transfer" in shown.stdout
    assert "1 pass, 0 pass (host), 1 fail, 0 undecided, 0 not applicable" in shown.stdout


def test_another_image_is_not_decided_by_our_own_layer(folder: Path) -> None:
    """The rule is undecided for that reason; tests on the board run on the image."""
    write(folder, PASSES, ON_THE_HOST)
    result = conformance("--json", "--image", installation.firmware("virt-a64"))
    assert result.exit_code == 0, result.stderr
    found = verdicts(result)
    assert found["IGA-02"]["verdict"] == "pass"
    assert found["GEN-01"]["verdict"] == "undecided"
    assert "own layer on this computer" in found["GEN-01"]["reason"]


def test_the_page_needs_nothing_else_and_shows_the_evidence(folder: Path) -> None:
    """Calls with their status, violations, what pytest said; and nothing of it is markup."""
    write(folder, PASSES, FAILS, CALLS_OFTEN)
    result = conformance("--html", folder / "report.html")
    assert result.exit_code == 1
    page = (folder / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#)|@import|url\(", page)
    assert page.count('<details class="rule') == len(rules().rules)
    for text in (
        "IoGetDmaAdapter → STATUS_SUCCESS",
        "  violation 0x25 description version (p2=0x4",
        "it is &lt;there&gt;",
        "pass (our reading, OQ-06)",
        "legacy loop recipe flushes while running",
        "version=3",
        "dmav3_board.IoGetDmaAdapter(Version=version) is None",
        "dmav3_board.evidence.expect_violations(37)",
        "pytest --pyargs &#39;dmav3.conformance.tests.test_some::test_fails[3]&#39;",
        "--dmav3-machine=virt-a53</code>",
        ", build id <code>",
        "schedule speculative, seed 1",
        "members of the table that came after version 3",
        '<td data-column="PreCancelled">OK, Idle</td>',
        "It said: The emulator ignores bus errors",
    ):
        assert text in page, text
    assert re.search(r'class="gap">[0-9]{3,} records are left out here', page)
    assert "<there>" not in page
    assert "InitializeController →" not in page  # what came before the test


def test_what_ran_is_in_junits_form_too(folder: Path) -> None:
    """With the rules of each test; one for another machine is skipped."""
    write(folder, PASSES, FAILS, ELSEWHERE)
    assert conformance("--junitxml", folder / "junit.xml", "--rule", "IGA").exit_code == 1
    cases = {case.get("name"): case for case in ET.parse(folder / "junit.xml").iter("testcase")}  # noqa: S314 - our own
    assert set(cases) == {"test_passes", "test_fails[3]", "test_fails[2]"}
    assert cases["test_fails[3]"].find("failure") is not None
    properties = [one.attrib for one in cases["test_passes"].iter("property")]
    assert [one["value"] for one in properties if one["name"] == "rule"] == ["IGA-02", "FBX-15"]


def test_a_machine_without_a_cache_decides_nothing_about_caches(folder: Path) -> None:
    """Whatever programs of this computer say of the rule."""
    both = ELSEWHERE.replace("virt-a53-coherent", "virt-a53").replace("CCH-06", "CCH-02")
    write(folder, both, ON_THE_HOST.replace("GEN-01", "CCH-02"))
    found = verdicts(conformance("--json", "--machine", "virt-a53-coherent", "--rule", "CCH-02"))
    assert found["CCH-02"]["verdict"] == "not applicable"


@pytest.mark.parametrize("rule", ["IGA-26", "GSX-10"])
def test_each_test_says_how_to_run_it_again(rule: str) -> None:
    """The command runs this test alone; in C and in Python."""
    report = run.run_tests(run.ConformanceOptions(rules=(rule,)), lambda _: lambda _: None)
    assert {test.outcome for test in report.tests} == {"passed"}
    assert all(test.asserted for test in report.tests)
    for test in report.tests:
        command = [sys.executable, "-m", *shlex.split(test.command), "-q"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "1 passed" in done.stdout, done.stdout


def test_a_failure_in_c_shows_its_place(folder: Path) -> None:
    """File, line and expression; what the test checks is known without running it."""
    source, program = folder / "some.c", folder / "test_some"
    source.write_text(IN_C)
    checks = Path(__file__).parents[1] / "c"
    subprocess.run(["clang-19", f"-I{checks}", "-o", program, source], check=True)  # noqa: S607
    write(folder, RUNS_C.format(program=program))
    result = conformance("--json", "--rule", "MTX-07")
    assert result.exit_code == 1
    place = f"{source}:{IN_C.splitlines().index('    CHECK(1 == 2);') + 1}: 1 == 2"
    assert verdicts(result)["MTX-07"]["reason"].endswith(f"[some-it_fails]: {place}")
    (test,) = json.loads(result.stdout)["tests"]
    assert test["asserted"] == ["2 == 2", "1 == 2"]
    assert test["arguments"] == ["program=test_some", "name=it_fails"]


def test_findings_are_evidence(folder: Path) -> None:
    """Those that a test expects, too."""
    seeded = installation.seeded("no-clean", "virt-a64")
    write(folder, SENDS)
    result = conformance("--image", seeded, "--html", folder / "report.html", "--rule", "CCH-02")
    assert result.exit_code == 0, result.stdout
    page = (folder / "report.html").read_text()
    assert re.search(r'class="finding">stale-device-read at .*\(expected by the test\)', page)


def test_what_this_computer_lacks_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 3, and JSON all the same."""
    write(folder, PASSES)
    monkeypatch.setenv("DMAV3_QEMU", "no-such-qemu")
    result = conformance("--json", "--rule", "IGA")
    assert result.exit_code == 3
    assert "no-such-qemu" in verdicts(result)["IGA-02"]["reason"]
    assert verdicts(result)["IGA-02"]["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("@pytest.mark.dmav3_rule('MTX-70')\ndef test_it(): pass\n", "unknown rule 'MTX-70'"),
        ("@pytest.mark.dmav3_rule('DOM-01')\ndef test_it(): pass\n", "DOM-01 is out of scope"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("import os\nos._exit(9)\n", "pytest's status 9"),
    ],
)
def test_tests_that_cannot_run_leave_all_undecided(folder: Path, test: str, words: str) -> None:
    """With what pytest said; that is no failure of the firmware."""
    write(folder, test)
    result = conformance("--json", "--rule", "TBL")
    assert result.exit_code == 3
    assert {rule["verdict"] for rule in verdicts(result).values()} == {"undecided"}
    assert words in verdicts(result)["TBL-01"]["reason"]


def test_a_test_that_hangs_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided before stays."""
    write(folder, ON_THE_HOST, HANGS)

    def begin(count: int) -> Callable[[int], object]:
        """From now on pytest is there, and nothing takes long."""
        assert count == 2
        monkeypatch.setattr(run, "PATIENCE", 5.0)
        return lambda _: None

    report = run.run_tests(run.ConformanceOptions(rules=("GEN-01", "TBL-01")), begin)
    assert report.exit_status == 3
    assert [(one.verdict, one.reason) for one in report.decisions] == [
        ("undecided", "no test has ended for 5 s"),
        ("pass (host)", "decided only by programs of this computer"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--machine", "vax"), "unknown machine 'vax'; known are"),
        (("--image", __file__), "is not an ELF file"),
        (("--image", SHELL_LESS), "has no shell (no symbol `rpc_serve`)"),
        (("--image", SHELL_LESS), "give an image that `dmav3 build` made"),
        (("--rule", "XYZ"), "--rule XYZ: no rule begins so; such as --rule MTX"),
        (("--rule", ""), "--rule '': no rule begins so; such as --rule MTX"),
        (("--html", "x", "--junitxml", "./x"), "x cannot be written: it is what another option"),
        (("--seed", "-1"), "seed -1 is not in 0 to"),
        (("--schedule", "now"), "unknown schedule 'now'; known are: lru"),
        (("--junitxml", "/no/such/folder/x"), "/no/such/folder/x cannot be written: No such"),
        (("--html", "/no/such/folder/x"), "/no/such/folder/x cannot be written: No such"),
    ],
)
def test_a_wrong_call_runs_nothing(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    """Exit status 2, the value, and what would work."""
    write(folder, "raise SystemExit\n")
    result = conformance(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not result.stdout
    assert not Path("x").exists()


def test_every_rule_is_tested_or_listed() -> None:
    """By the tests of the package: named by one, listed by --untested, or known to be neither."""
    untested = set(
        re.findall(r"^ ([A-Z]+-[A-I]?[0-9]+) ", conformance("--untested").stdout, re.MULTILINE)
    )
    tested = {rule for named in run.collected(run.ConformanceOptions()).values() for rule in named}
    listed = {rule.id for rule in rules().rules.values() if rules().excluded(rule.id)}
    assert tested | untested | listed == set(rules().rules)
    assert not untested & (tested | listed)
    assert "MTX-01" in tested
