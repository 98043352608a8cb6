# SPDX-License-Identifier: Apache-2.0
"""The rules are all there, and a broken file of rules is refused with its place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from dmav3.errors import DataFileError, UsageError
from dmav3.rules.rules import load, rules

ROOT = Path(__file__).parents[3]
#: How many rules each chapter has.
_COUNTS = """
TBL 8 STM 6 QUE 16 MR 17 GEN 16 IGA 27 PDA 5 ACB 15 FCB 4 AAC 10 ADC 12 MPT 11 FAB 8 FAC 8 FMR 6
GDA 6 RDC 12 GSL 8 PSL 8 ALC 4 CSL 7 BSL 4 BMS 3 GAI 12 GTI 12 ITC 10 ACX 11 AAX 20 CFG 10 CAC
13 MTX 54 CMP 16 GSX 17 BSX 7 FBX 23 FAO 10 CMT 17 DOM 4 FDB 2 CBB 4 CBV 2 CFM 4 KFI 5 MDL 10
STR 4 PAT 23 CCH 28 BMT 17 HBE 21 PLB 22
"""
COUNTS = {name: int(count) for name, count in re.findall(r"([A-Z]+)\s+([0-9]+)", _COUNTS)}
LATER = {"DOM", "FDB", "CBB", "CBV", "CFM"}
GOOD = """\
terms: {N: bytes}
chapters: {MTX: MapTransferEx}
questions:
  OQ-01: {matter: what, sources: nothing, choice: this, settled_by: trying}
out_of_scope:
  - {matter: much, reason: no time, rules: [MTX-02]}
rules:
  MTX-01: {source: doc+inferred:F, reading: OQ-01, text: It works.}
  MTX-02:
    source: doc
    text: It works well.
    table: [[a, b], [c, d]]
"""


def test_every_rule_is_there_once() -> None:
    """The counts by chapter, in the order of the chapters."""
    found = Counter(rule.chapter for rule in rules().rules.values())
    assert found == COUNTS
    assert sum(found.values()) == 599
    assert list(found) == list(rules().chapters)


@pytest.mark.parametrize("page", ["README.md", "docs/interface.md"])
def test_the_documents_have_the_number_of_rules(page: str) -> None:
    """Both say how many there are."""
    assert f" {len(rules().rules)} rules in" in (ROOT / page).read_text()


def test_every_open_question_has_its_rules() -> None:
    """All 28, each named by a rule; that a reading is a question is checked when they are read."""
    assert list(rules().questions) == [f"OQ-{number:02}" for number in range(1, 29)]


def test_the_fixed_list_of_what_is_out_of_scope() -> None:
    """The rules of later members, and what no target of ours has."""
    out = {rule for rule in rules().rules if rules().excluded(rule)}
    assert {rule for rule in out if rule.partition("-")[0] in LATER} == {
        rule.id for rule in rules().rules.values() if rule.chapter in LATER
    }
    assert {rule for rule in out if rule.partition("-")[0] not in LATER} == {"BMS-01", "BMS-02"}
    assert len(rules().out_of_scope) == 11


def test_reworded_rules_keep_the_old_sentence() -> None:
    """Those that spoke of an emulator whose caches hold nothing and whose DMA takes no time."""
    reworded = {rule.id for rule in rules().rules.values() if rule.note}
    assert reworded == {"CCH-30", "CCH-31", "PLB-08", "PLB-09", "PLB-10", "PLB-11"}


def test_an_unknown_rule_is_refused_with_the_nearest() -> None:
    """By whoever asks for it."""
    with pytest.raises(UsageError, match="unknown rule 'MTX-99'; is MTX-"):
        rules().rule("MTX-99")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("doc+inferred:F", "rumour", r":8: rules\.MTX-01\.source: .*would be: doc\+inferred\)"),
        ("reading: OQ-01", "reading: OQ-77", r":8: rules\.MTX-01\.reading: there is no question"),
        ("reading: OQ-01, ", "", r":4: questions\.OQ-01: no rule rests on it"),
        ("reading: OQ-01", "colour: red", r":8: rules\.MTX-01\.colour: unknown key"),
        ("text: It works.", "note: x", r":8: rules\.MTX-01\.text: is missing"),
        ("  MTX-02:", "  MTX-01:", r":9: rules\.MTX-01: is there twice, first in line 8"),
        ("  MTX-02:", "  ABC-02:", r":9: rules\.ABC-02: there is no chapter ABC"),
        ("  MTX-02:", "  Two:", r":9: rules\.Two: .*match pattern"),
        ("[MTX-02]", "[MTX-03]", r":6: out_of_scope\.0\.rules\.0: there is no rule MTX-03"),
        ("[c, d]", "[c]", r":9: rules\.MTX-02: .*rows of `table` are of different lengths"),
        ("[c, d]", "[c, 4]", r":12: rules\.MTX-02\.table\.1\.1: .*valid string, not 4"),
        ("rules:\n  MTX", "rule:\n  MTX", r":1: rules: is missing"),
        ("[[a", "[[[a", r":13: is not YAML"),
    ],
)
def test_a_broken_file_is_named_with_line_and_key(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    """And nothing of it is used."""
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    assert load(path).rules["MTX-02"].table[1] == ("c", "d")
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DataFileError, match=rf"rules\.yaml{words}"):
        load(path)


def test_rules_are_written_in_plain_text() -> None:
    """No markup, and no reference into a document that a reader of the report does not have."""
    foreign = re.compile(r"`|\*\*|section [0-9]|\b(OP|CT)-[0-9]|table above")
    for rule in rules().rules.values():
        for text in (rule.text, *(cell for row in rule.table for cell in row)):
            assert not foreign.search(text), rule.id
