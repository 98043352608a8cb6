# SPDX-License-Identifier: Apache-2.0
"""Every citation in a tracked file leads somewhere, and every path that a document names is there.

docs/interface.md says which forms a citation may have.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from dmav3.rules.rules import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).relative_to(ROOT).as_posix()
INTERFACE = "docs/interface.md"
DIFFERENCES = "qemu-machines/README.md"


@cache
def tracked() -> tuple[str, ...]:
    """Return the files of the repository, as git names them; without git, those that are there."""
    if not (ROOT / ".git").exists():  # in the container
        made = re.compile(r"(build|\.venv)/|.*(__pycache__|/\.|^\.\w+_cache)")
        names = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
        return tuple(name for name in names if not made.match(name))
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return tuple(name for name in done.stdout.splitlines() if (ROOT / name).is_file())


@cache
def folders() -> frozenset[str]:
    """Return the folders that they are in."""
    return frozenset(str(parent) for name in tracked() for parent in PurePosixPath(name).parents)


# ---- citations ----

#: What a test needs that is no rule, question or chapter.
NO_RULES = {"MTX-70", "MTX-99", "OQ-77", "ABC"}
#: Public documents; a section of one is cited on the line that names it.
DOCUMENTS = r"DDI \d{4}|Arm ARM|PCI|NVM Express"
ID = re.compile(r"\b([A-Z]{2,3})-([A-I]?\d{1,2})((?:(?:\.\.|, -)\d\d)*)\b")
TABLE = re.compile(rf"(?:({re.escape(INTERFACE)}), )?\b[Tt]able (\d+(?:\.\d+)*)\b")
NUMBERED = re.compile(
    r"\b(?:[Ss]pec|[Ss]ection|[Cc]hapter|[Ff]igure|[Aa]ppendix)s? \d+(?:\.\d+)*\b"
)
LETTERED = re.compile(r"(?<![\w.])[A-K]\.\d{1,2}(?:\.\d+)*\b(?!\.\w)")
CHAPTER = re.compile(r"\b[Cc]hapters? ([A-Z]{2,3})\b")
PATTERNS = re.compile(r"\b[Pp]atterns? ([A-Z](?:(?:, | and | to )[A-Z])*)\b(?!-)")
DIFFERENCE = re.compile(r"\((D\d{1,2}(?:, D\d{1,2})*)\)")
#: A number with points in a comment of C is a section, unless a document, a version or a unit is
#: beside it.
COMMENT = re.compile(r"/\*.*|^ \*.*|//.*")
SECTION = re.compile(r"(?<![\w.])[A-K]?\d{1,2}\.\d{1,2}(?:\.\d+)*\b(?! (?:[KMG]iB|m?s|µs|ns)\b)")
VERSION = r"SPDX|QEMU|Debian|version"
MARKDOWN = re.compile(r"(?<![\w./-])[\w./-]+\.md\b")


@dataclass(frozen=True)
class Homes:
    """What citations may lead to.

    :ivar ids: rules, questions, observations and controls; `chapters`: prefixes of rules.
    :ivar tables: of docs/interface.md; `patterns`: there; `rows`: of the table of differences.
    """

    ids: frozenset[str]
    chapters: frozenset[str]
    tables: frozenset[str]
    patterns: frozenset[str]
    rows: frozenset[str]


@cache
def homes() -> Homes:
    """Return what is there."""
    known, page = rules(), (ROOT / INTERFACE).read_text()
    seen = re.findall(r"^\| ((?:OP|CT)-\d) \|", page, re.MULTILINE)
    rows = re.findall(r"^\| (D\d+) \|", (ROOT / DIFFERENCES).read_text(), re.MULTILINE)
    return Homes(
        ids=frozenset({*known.rules, *known.questions, *seen}),
        chapters=frozenset(known.chapters),
        tables=frozenset(re.findall(r"^\*\*Table (\d+)\. ", page, re.MULTILINE)),
        patterns=frozenset(re.findall(r"^### Pattern ([A-Z])$", page, re.MULTILINE)),
        rows=frozenset(rows),
    )


def dead_ids(line: str) -> Iterator[tuple[str, str]]:
    """Yield ids of rules, questions, observations and controls that do not exist."""
    prefixes = homes().chapters | {"OQ", "OP", "CT"}
    for prefix, number, more in ID.findall(line):
        for each in (number, *re.findall(r"\d\d", more)):
            cited = f"{prefix}-{each}"
            if prefix in prefixes and cited not in homes().ids:
                where = INTERFACE if prefix in {"OP", "CT"} else "rules/rules.yaml"
                yield cited, f"there is no {cited} in {where}"


def dead_tables(line: str) -> Iterator[tuple[str, str]]:
    """Yield numbers of tables without a document, or that the document does not have."""
    for match in TABLE.finditer(line):
        if match[1] is None and not line.startswith(f"**Table {match[2]}. "):
            yield match[0], f"name the rule that has the table, or write `{INTERFACE}, table N`"
        elif match[2] not in homes().tables:
            yield match[0], f"{INTERFACE} has no table {match[2]}"


def dead_sections(line: str) -> Iterator[tuple[str, str]]:
    """Yield sections of a document that the line does not name."""
    if re.search(DOCUMENTS, line):
        return
    comment = COMMENT.search(line)
    found = [*NUMBERED.findall(line), *LETTERED.findall(line)]
    if comment and not re.search(VERSION, line):
        found += SECTION.findall(NUMBERED.sub("", TABLE.sub("", comment[0])))
    for cited in found:
        yield cited, "cite a rule, or name the public document on this line"


def dead_names(line: str) -> Iterator[tuple[str, str]]:
    """Yield chapters, patterns and differences that are not there."""
    for chapter in CHAPTER.findall(line):
        if chapter not in homes().chapters:
            yield chapter, "rules/rules.yaml has no such chapter"
    for text in PATTERNS.findall(line):
        for letter in set(re.findall(r"\b[A-Z]\b", text)) - homes().patterns:
            yield f"pattern {letter}", f"{INTERFACE} has no heading `Pattern {letter}`"
    for text in DIFFERENCE.findall(line):
        for row in set(text.split(", ")) - homes().rows:
            yield row, f"{DIFFERENCES} has no row {row}"


def dead_documents(line: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield Markdown files that are not there."""
    for cited in MARKDOWN.findall(line):
        if not is_there(cited, name):
            yield cited, "there is no such document"


def dead_citations(path: Path, name: str) -> list[str]:
    """Return a complaint for each citation of a file that leads nowhere."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    in_tests = name.startswith("tests/")
    find: list[Callable[[str], Iterator[tuple[str, str]]]]
    find = [dead_ids, dead_tables, dead_sections, dead_names]
    if not in_tests:
        find.append(partial(dead_documents, name=name))
    return [
        f"{name}:{number}: {cited}: {why}"
        for number, line in enumerate(lines, 1)
        for dead in find
        for cited, why in dead(line)
        if not (in_tests and cited in NO_RULES)
    ]


def test_every_citation_leads_somewhere() -> None:
    """All texts of the repository are read except this one, which shows wrong citations."""
    files = [name for name in tracked() if name != HERE and not name.startswith("LICENSES/")]
    complaints = [text for name in files for text in dead_citations(ROOT / name, name)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("line", "cited", "why"),
    [
        ("x(); /* MTX-98 */", "MTX-98", "there is no MTX-98 in rules/rules.yaml"),
        ("# MTX-24..98", "MTX-98", "there is no MTX-98"),
        ("# CCH-02, -03, -98", "CCH-98", "there is no CCH-98"),
        ("our reading, OQ-98", "OQ-98", "there is no OQ-98"),
        ("/* counters, OP-9 */", "OP-9", "there is no OP-9 in docs/interface.md"),
        ("CT-9: the pool", "CT-9", "there is no CT-9"),
        ("/* reports, spec 7.3 */", "spec 7.3", "cite a rule"),
        ("codes of section 0.5", "section 0.5", "cite a rule"),
        ("the rules of chapter 5", "chapter 5", "cite a rule"),
        ("the rules of chapter XYZ", "XYZ", "no such chapter"),
        ("/* Table 2.1.2; no mapping */", "Table 2.1.2", "name the rule that has the table"),
        ("see table 3", "table 3", "write `docs/interface.md, table N`"),
        ("docs/interface.md, table 77", "docs/interface.md, table 77", "has no table 77"),
        ("as B.7 says", "B.7", "name the public document"),
        ("/* 6.2.5.1 */", "6.2.5.1", "name the public document"),
        ("patterns D and X", "pattern X", "no heading `Pattern X`"),
        ("it reads zeroes (D7, D98)", "D98", "has no row D98"),
        ("as in docs/nothing.md", "docs/nothing.md", "there is no such document"),
    ],
)
def test_a_dead_citation_is_noticed(tmp_path: Path, line: str, cited: str, why: str) -> None:
    """The complaint names file, line, the citation, and what would resolve it."""
    path = tmp_path / "wrong.c"
    path.write_text(f"right (MTX-07)\n{line}\n")
    (complaint,) = dead_citations(path, "firmware/wrong.c")
    assert complaint.startswith(f"firmware/wrong.c:2: {cited}: ")
    assert why in complaint


@pytest.mark.parametrize(
    "line",
    [
        "MTX-07, PAT-D1, MTX-24..26, CCH-02, -03 and OQ-06",
        "OP-6, CT-1",
        "the rules of chapter CCH",
        "docs/interface.md, table 1",
        "patterns A to C, pattern D",
        "registers (DDI 0424, 3.3) and opcodes (4.3)",
        "/* QEMU 10.0.2 takes 5.03 MiB */",
        "x = 1.5; /* CRC-32, DMA-330 */",
        "it is dropped (D7)",
        "firmware/PROTOCOL.md, PROTOCOL.md",
    ],
)
def test_a_citation_that_leads_somewhere_is_left_alone(tmp_path: Path, line: str) -> None:
    """No form is mistaken for a dead one, and neither is a number that is no citation."""
    path = tmp_path / "right.c"
    path.write_text(line)
    assert dead_citations(path, "firmware/right.c") == []


# ---- paths in documents ----

DOCUMENT_NAMES = [name for name in tracked() if name.endswith(".md")]
#: Files of these kinds that are named alone are somewhere in the repository.
KINDS = {".c", ".h", ".S", ".py", ".md", ".yaml", ".toml", ".ld", ".mk"}
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
#: What a build or a set-up makes, and QEMU's own source.
ELSEWHERE = ("build/", ".venv/", "hw/")


def is_there(path: str, document: str) -> bool:
    """Return whether there is such a file or folder.

    A path begins at the root or in the document's folder. One whose first folder is in neither is
    the end of a longer one, as `include/dma_backend.h` is where the text speaks of a folder.
    """
    path, beside = path.rstrip("/"), PurePosixPath(document).parent
    everything = [*tracked(), *folders()]
    first = path.partition("/")[0]
    if "/" in path and (first in folders() or str(beside / first) in folders()):
        wanted = (path, str(beside / path))
        return any(fnmatch(name, each) for name in everything for each in wanted)
    return any(fnmatch(name, path) or fnmatch(name, f"*/{path}") for name in everything)


def missing_paths(text: str, document: str) -> list[str]:
    """Return the paths in backticks, outside of examples, that are not there."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", prose)
    paths = [
        span
        for span in spans
        if PATH.fullmatch(span) and ("/" in span or PurePosixPath(span).suffix in KINDS)
    ]
    return [
        path for path in paths if not path.startswith(ELSEWHERE) and not is_there(path, document)
    ]


@pytest.mark.parametrize("document", DOCUMENT_NAMES)
def test_every_path_in_a_document_is_there(document: str) -> None:
    """A path is what is written in backticks, has a slash, or ends as a source file does."""
    assert missing_paths((ROOT / document).read_text(), document) == []


def test_a_path_that_is_not_there_is_noticed() -> None:
    """Build products, names of Python and fenced examples are no paths of the repository."""
    text = "`docs/nothing.md` `tests/c` `build/x.elf` `board.time` `nothing.c`\n```\n`a/b.c`\n```\n"
    assert missing_paths(text, "README.md") == ["docs/nothing.md", "nothing.c"]
