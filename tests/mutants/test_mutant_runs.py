# SPDX-License-Identifier: Apache-2.0
"""The mutants are fair and fit the sources, and a sample of them is noticed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from mutant_runs import ids_by_rule, run
from mutant_tree import ROOT, Tree
from mutants import FILE, Mutant, load, load_on_host, place, turns

from dmav3.errors import UsageError
from dmav3.rules.rules import rules

if TYPE_CHECKING:
    from pathlib import Path

MUTANTS, ON_HOST = load(), load_on_host()
#: At even distances of what the tests are known to notice; `ci/mutants` has all.
SAMPLE = [mutant for mutant in MUTANTS if not mutant.equivalent][14::16][:10]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a copy of the sources."""
    return Tree(tmp_path_factory.mktemp("mutants") / "copy")


@pytest.fixture(scope="module")
def tests() -> dict[str, list[str]]:
    """Return the tests of each rule."""
    return ids_by_rule()


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: mutant.name)
def test_a_sample_is_noticed(tree: Tree, tests: dict[str, list[str]], mutant: Mutant) -> None:
    """By a test of the rule that each breaks, in a copy that is as it was before."""
    source = (ROOT / mutant.file).read_text()
    done = run(tree, mutant, tests[mutant.rule])
    assert done.by_rule, done
    assert done.ran[done.killer] in {"failed", "error"}
    assert (tree.folder / mutant.file).read_text() == source


@pytest.mark.parametrize("mutant", ON_HOST[5::40], ids=lambda mutant: mutant.name)
def test_a_sample_on_the_host_is_noticed(tree: Tree, mutant: Mutant) -> None:
    """By one of its host programs."""
    source = (ROOT / mutant.file).read_text()
    done = run(tree, mutant, None)
    assert done.ran[done.killer] == "failed"
    assert (tree.folder / mutant.file).read_text() == source


def test_what_is_right_is_noticed_by_nothing(tree: Tree, tests: dict[str, list[str]]) -> None:
    """Otherwise it would say nothing that a mutant is noticed."""
    mutant = SAMPLE[0]
    same = mutant.model_copy(update={"instead": mutant.find})
    done = run(tree, same, tests[mutant.rule])
    assert (done.killer, set(done.ran.values())) == ("", {"passed"})


def test_a_mutant_that_does_not_compile_is_refused(tree: Tree) -> None:
    """With what the compiler says."""
    broken = SAMPLE[0].model_copy(update={"instead": "no such thing"})
    with pytest.raises(UsageError, match=rf"mutant {broken.name} does not compile:\n.*error:"):
        run(tree, broken, ["test_table.py::one"])


@pytest.mark.parametrize("mutant", [*MUTANTS, *ON_HOST], ids=lambda mutant: mutant.name)
def test_it_applies(mutant: Mutant) -> None:
    """Its text is in the file once, and something else stands there then."""
    source = (ROOT / mutant.file).read_text()
    assert mutant.applied(source) != source


@pytest.mark.parametrize("source", ["", "if (false) if (false)"])
def test_one_that_no_longer_applies_is_refused(source: str) -> None:
    """The message names mutant, text and file, and what would work."""
    mutant = Mutant(
        rule="FAO-06", file="firmware/layer/x.c", find="if (false)", instead="", name="M"
    )
    words = f"M does not apply: 'if (false)' is {source.count('if')} times in firmware/layer/x.c"
    with pytest.raises(UsageError, match=re.escape(words) + ".*the text that stands there now"):
        mutant.applied(source)


def test_there_are_enough_and_few_are_equivalent() -> None:
    """200 at least, and at most one in twenty that no test can see."""
    assert len(MUTANTS) >= 200
    assert 20 * sum(bool(mutant.equivalent) for mutant in MUTANTS) <= len(MUTANTS)


def test_those_on_the_host_have_different_names() -> None:
    """200 at least."""
    assert len({mutant.name for mutant in ON_HOST}) == len(ON_HOST) >= 200


@pytest.mark.parametrize(("commit", "mutated", "passed_over"), turns())
def test_no_rule_was_chosen(commit: str, mutated: set[str], passed_over: set[str]) -> None:
    """By the hash, each rule up to the last has a mutant, or is named with a reason."""
    in_scope = {rule for rule in rules().rules if not rules().excluded(rule)}
    last = max(place(rule, commit) for rule in mutated)
    up_to = {rule for rule in in_scope if place(rule, commit) <= last}
    assert up_to == mutated | passed_over & up_to
    assert not mutated & passed_over
    assert commit or passed_over <= up_to


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('rule = "GTI-04"', 'rule = "nothing"', "unknown rule 'nothing'"),
        ('rule = "GTI-04"', 'rule = "DOM-01"', "the rule DOM-01 is out of scope (members of the"),
        ('rule = "GTI-04"', 'rule = "MTX-38"', "comes before MTX-38 by sha256(rule id)"),
        ("firmware/layer/needs.c", "firmware/pl330/code.c", "firmware/pl330/code.c is in none of"),
        ("find = 'elements", "look = 'elements", "find"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """With the value, and what would work."""
    path = tmp_path / FILE.name
    path.write_text(FILE.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=re.escape(words)):
        load(path)
