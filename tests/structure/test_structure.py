# SPDX-License-Identifier: Apache-2.0
"""Arrows between folders point one way, files use each other in no circle, and both are noticed."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import networkx as nx
import pytest
from structure import RULES, Tree, read_rules

if TYPE_CHECKING:
    from pathlib import Path

TREES = read_rules()


ROOMS = [
    pytest.param(tree, room, id=f"{tree.folder}/{room}") for tree in TREES for room in tree.rooms
]


def refuse(sentences: list[str]) -> None:
    """Fail with these sentences, if there are any."""
    if sentences:
        pytest.fail("\n".join(sentences), pytrace=False)


@pytest.mark.parametrize(("tree", "room"), ROOMS)
def test_a_file_uses_what_its_folder_may(tree: Tree, room: str) -> None:
    """No file includes, imports or uses what stands above its folder."""
    refuse(tree.against.get(room, []))


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_arrows_are_found(tree: Tree) -> None:
    """A tree has hundreds of arrows; with none of them the tests above would say nothing."""
    assert len(tree.arrows) > 100


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_the_rules_point_one_way(tree: Tree) -> None:
    """No folder may use one that may use it, directly or through others."""
    rules: nx.DiGraph[str] = nx.DiGraph()
    rules.add_edges_from((folder, used) for folder, uses in tree.uses.items() for used in uses)
    assert nx.is_directed_acyclic_graph(rules)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_there_is_no_circle(tree: Tree) -> None:
    """No two files use each other, directly or through others."""
    refuse(tree.in_circles)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_every_folder_has_a_row(tree: Tree) -> None:
    """The rules name each folder of the tree, and only those."""
    refuse(
        [
            f"{name!r} of {tree.folder} has no row, or the row no folder ({RULES.name})"
            for name in tree.undeclared
        ]
    )


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_every_object_is_built(tree: Tree) -> None:
    """Calls are read from objects, which are as new as their sources."""
    refuse([f"{name} is newer than its object: run ci/build" for name in tree.unbuilt])


def test_an_import_against_the_direction_is_named(tmp_path: Path) -> None:
    """An import of what is above, also one for the type checker, is told with line and rule."""
    for name, text in {
        "wire/frame.py": "",
        "wire/rpc.py": "if TYPE_CHECKING:\n    from tree.board import Board\n",
        "board.py": "from .wire import frame\n",
    }.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    uses = {"board": ["wire"], "wire": []}
    tree = Tree(folder="tree", language="python", uses=uses, root=tmp_path)
    (sentence,) = chain(*tree.against.values())
    assert sentence == (
        "tree/wire/rpc.py:2: imports tree.board.Board, but in tree 'wire' may use nothing, "
        "not 'board' (tests/structure/rules.toml)"
    )
    assert tree.circles == []


def test_an_include_against_the_direction_is_named(tmp_path: Path) -> None:
    """An include of what is above is told with line and rule; two headers are a circle."""
    for name, text in {
        "hal/irq.h": '\n#include "layer/mdl.h"\n',
        "layer/mdl.h": "#include <irq.h>\n",
    }.items():
        (tmp_path / "fw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fw" / name).write_text(text)
    tree = Tree(
        folder="fw",
        language="c",
        uses={"layer": ["hal"], "hal": []},
        roots=["fw", "fw/hal"],
        root=tmp_path,
    )
    (sentence,) = chain(*tree.against.values())
    assert sentence == (
        "fw/hal/irq.h:2: includes layer/mdl.h, but in fw 'hal' may use nothing, not 'layer' "
        "(tests/structure/rules.toml)"
    )
    (sentence,) = tree.in_circles
    assert sentence == (
        "hal/irq, layer/mdl use each other in a circle in fw:\n"
        "  fw/hal/irq.h:2: includes layer/mdl.h\n"
        "  fw/layer/mdl.h:1: includes irq.h"
    )
