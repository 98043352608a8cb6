# SPDX-License-Identifier: Apache-2.0
"""How the source trees hang together, read off the sources and the built objects.

A *room* is what a reader opens as one thing: a Python module, or a C file with its header. An
*arrow* is an import or an include, or, in C, the use of a symbol that another room's object
defines. Imports inside functions and those for type checkers only count as well: a reader follows
them too.

`rules.toml` says which folder may use which; `ci/structure` prints what was found, and
`test_structure.py` fails for each arrow against the rules and for each circle.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
RULES = Path(__file__).with_name("rules.toml")
_INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
#: The head of a function as clang-format lays it out: its first line starts in the first column.
_FUNCTION = re.compile(r"^[A-Za-z_][^;{}=]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_SUFFIXES = {"python": (".py",), "c": (".c", ".h", ".S")}


@dataclass(frozen=True)
class Arrow:
    """One room uses another.

    :ivar where: file and line of the use, such as "firmware/rpc/shell.c:12".
    :ivar what: what stands there, such as "includes layer/mdl.h" or "uses mdl_chain_bytes".
    """

    source: str
    target: str
    where: str
    what: str


@dataclass(frozen=True)
class Function:
    """A function or method, with its length in lines."""

    where: str
    lines: int


@dataclass(frozen=True)
class Tree:
    """One source tree and the rules for its folders.

    :ivar folder: where it lies, from the root of the repository.
    :ivar roots: folders that an include is searched in, after that of the including file.
    :ivar objects: where its objects are built; None for Python.
    :ivar uses: for each folder (or file directly in the tree) the ones it may use besides itself.
    """

    folder: str
    language: str
    uses: dict[str, list[str]]
    roots: list[str] = field(default_factory=list)
    objects: str | None = None
    root: Path = ROOT

    @cached_property
    def files(self) -> list[Path]:
        """The sources, sorted."""
        base = self.root / self.folder
        return sorted(path for end in _SUFFIXES[self.language] for path in base.rglob(f"*{end}"))

    @cached_property
    def rooms(self) -> dict[str, list[Path]]:
        """The files of each room, by its path in the tree without a suffix."""
        rooms: dict[str, list[Path]] = {}
        for path in self.files:
            rooms.setdefault(self.room(path), []).append(path)
        return rooms

    @cached_property
    def arrows(self) -> list[Arrow]:
        """Every use of one room by another, one for each place."""
        found = (
            self._imports() if self.language == "python" else [*self._includes(), *self._calls()]
        )
        return [arrow for arrow in found if arrow.source != arrow.target]

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The rooms and which uses which."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_edges_from((arrow.source, arrow.target) for arrow in self.arrows)
        return graph

    @cached_property
    def circles(self) -> list[list[str]]:
        """Rooms that use each other in a loop, the largest circle first."""
        loops = [sorted(loop) for loop in nx.strongly_connected_components(self.graph)]
        return sorted((loop for loop in loops if len(loop) > 1), key=len, reverse=True)

    @property
    def in_circles(self) -> list[str]:
        """A sentence for each circle, with the places of one way round."""
        first: dict[tuple[str, str], str] = {}
        for arrow in self.arrows:
            first.setdefault((arrow.source, arrow.target), f"  {arrow.where}: {arrow.what}")
        return [
            "\n".join(
                [
                    f"{', '.join(circle)} use each other in a circle in {self.folder}:",
                    *(first[edge] for edge in nx.find_cycle(self.graph.subgraph(circle))),
                ]
            )
            for circle in self.circles
        ]

    @property
    def unbuilt(self) -> list[str]:
        """C files whose object is missing or older: what they call cannot be told."""
        return [
            self.name(path)
            for path in self.files
            if (built := self._object(path))
            and not (built.exists() and built.stat().st_mtime >= path.stat().st_mtime)
        ]

    @cached_property
    def against(self) -> dict[str, list[str]]:
        """A sentence for each arrow that `uses` does not allow, by the room that it starts from."""
        found: dict[str, list[str]] = {}
        for arrow in self.arrows:
            source, target = self.layer(arrow.source), self.layer(arrow.target)
            if source == target or target in self.uses.get(source, ()):
                continue
            allowed = ", ".join(self.uses.get(source, ())) or "nothing"
            found.setdefault(arrow.source, []).append(
                f"{arrow.where}: {arrow.what}, but in {self.folder} {source!r} may use {allowed}, "
                f"not {target!r} ({RULES.relative_to(ROOT)})"
            )
        return found

    @property
    def undeclared(self) -> list[str]:
        """Folders and files of the tree for which `uses` has no row, and rows of none."""
        layers = {self.layer(room) for room in self.rooms}
        return sorted(layers ^ set(self.uses))

    @cached_property
    def functions(self) -> list[Function]:
        """Every function of the tree."""
        read = _python_functions if self.language == "python" else _c_functions
        return [function for path in self.files for function in read(path, self.name(path))]

    @cached_property
    def folders(self) -> nx.DiGraph[str]:
        """The folders (and files directly in the tree) and which uses which."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.layer(room) for room in self.rooms)
        graph.add_edges_from((self.layer(a.source), self.layer(a.target)) for a in self.arrows)
        graph.remove_edges_from(list(nx.selfloop_edges(graph)))
        return graph

    def room(self, path: Path) -> str:
        """Return the room of a file."""
        return str(path.relative_to(self.root / self.folder).with_suffix(""))

    def layer(self, room: str) -> str:
        """Return the folder of a room as the rules name it: the whole path of its folder."""
        parent = str(Path(room).parent)
        return room if parent == "." else parent

    def name(self, path: Path) -> str:
        """Return a file as messages name it."""
        return str(path.relative_to(self.root))

    def _imports(self) -> Iterator[Arrow]:
        package = Path(self.folder).name
        for path in self.files:
            inside = [package, *path.relative_to(self.root / self.folder).parts[:-1]]
            for node in ast.walk(ast.parse(path.read_text())):
                for name in _imported(node, inside):
                    target = (
                        self._module(name.split(".")[1:]) if name.split(".")[0] == package else None
                    )
                    if target is not None:
                        where = f"{self.name(path)}:{node.lineno}"  # type: ignore[attr-defined]
                        yield Arrow(self.room(path), target, where, f"imports {name}")

    def _module(self, parts: list[str]) -> str | None:
        """Return the room that the longest beginning of a dotted name means."""
        for length in range(len(parts), -1, -1):
            for room in ("/".join(parts[:length]), "/".join([*parts[:length], "__init__"])):
                if room in self.rooms:
                    return room
        return None

    def _includes(self) -> Iterator[Arrow]:
        for path in self.files:
            text = path.read_text()
            for match in _INCLUDE.finditer(text):
                for folder in (path.parent, *(self.root / folder for folder in self.roots)):
                    if (included := folder / match[1]) in self.files:
                        line = text.count("\n", 0, match.start(1)) + 1
                        where, what = f"{self.name(path)}:{line}", f"includes {match[1]}"
                        yield Arrow(self.room(path), self.room(included), where, what)
                        break

    def _calls(self) -> Iterator[Arrow]:
        """Read from the objects which room uses a symbol that another one defines.

        A symbol that several rooms define (`main`: each image has one) says nothing of a room.
        """
        defined: dict[str, set[str]] = {}
        wanted: list[tuple[str, str]] = []
        for path in self.files:
            built = self._object(path)
            if built is None or not built.exists():
                continue
            for kind, symbol in _symbols(built):
                if kind == "U":
                    wanted.append((self.room(path), symbol))
                elif kind.isupper():
                    defined.setdefault(symbol, set()).add(self.room(path))
        for room, symbol in wanted:
            for target in defined.get(symbol, ()) if len(defined.get(symbol, ())) == 1 else ():
                yield Arrow(room, target, self._use(room, symbol), f"uses {symbol}")

    def _object(self, path: Path) -> Path | None:
        """Return where the object of a file is; None of a header."""
        if self.objects is None or path.suffix == ".h":
            return None
        return self.root / self.objects / f"{path.relative_to(self.root / self.folder)}.o"

    def _use(self, room: str, symbol: str) -> str:
        for path in self.rooms[room]:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(rf"\b{re.escape(symbol)}\b", line):
                    return f"{self.name(path)}:{number}"
        return self.name(self.rooms[room][0])


def read_rules(rules: Path = RULES, root: Path = ROOT) -> list[Tree]:
    """Return the trees that the rules describe."""
    return [Tree(root=root, **tree) for tree in tomllib.loads(rules.read_text())["tree"]]


def _imported(node: ast.AST, inside: list[str]) -> Iterator[str]:
    """Return the full names of what one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = inside[: len(inside) - node.level + 1] if node.level else []
        module = ".".join([*start, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _symbols(built: Path) -> Iterator[tuple[str, str]]:
    listing = subprocess.run(
        ["llvm-nm-19", "--format=posix", built],  # noqa: S607 - found in PATH, as by make
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listing.splitlines():
        symbol, kind, *_ = line.split()
        yield kind, symbol


def _python_functions(path: Path, name: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(f"{name}:{node.lineno} {node.name}", lines)


def _c_functions(path: Path, name: str) -> Iterator[Function]:
    text = path.read_text()
    for match in _FUNCTION.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        called = re.search(r"(\w+)\(", match[0])
        lines = match[0].count("\n") + 1
        yield Function(f"{name}:{line} {called[1] if called else '?'}", lines)


def report(trees: Iterable[Tree]) -> Iterator[str]:
    """Return what a person wants to know of each tree, a line at a time."""
    for tree in trees:
        sizes = {path: path.read_text().count("\n") for path in tree.files}
        longest = max(sizes, key=sizes.__getitem__)
        function = max(tree.functions, key=lambda function: function.lines)
        median = statistics.median(function.lines for function in tree.functions)
        levels = nx.dag_longest_path_length(nx.condensation(tree.folders)) + 1
        yield f"{tree.folder}"
        yield f"  files, rooms, arrows   {len(tree.files)}, {len(tree.rooms)}, {tree.graph.size()}"
        yield f"  folders, their levels  {len(tree.folders)}, {levels}"
        yield f"  circles                {len(tree.circles)}"
        yield from (f"    {' '.join(circle)}" for circle in tree.circles)
        against = [sentence for found in tree.against.values() for sentence in found]
        yield f"  against the direction  {len(against)}"
        yield from (f"    {sentence}" for sentence in against)
        yield f"  longest file           {tree.name(longest)} ({sizes[longest]} lines)"
        yield f"  longest function       {function.where} ({function.lines} lines)"
        yield f"  median function        {median:g} lines"


if __name__ == "__main__":
    TREES = read_rules()
    sys.stdout.writelines(f"{line}\n" for line in report(TREES))
    sys.exit(any(tree.circles or tree.against for tree in TREES))
