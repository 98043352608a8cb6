# SPDX-License-Identifier: Apache-2.0
"""idioms.toml as one C file: a function for each idiom, and one for what it must not do."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).with_name("idioms.toml")
_HEAD = """\
#include <dmav3.h>
#include <dmav3_board.h>
#include <ntddk.h>
#include <ntstrsafe.h>

#define CHECK(condition) if (!(condition)) return __LINE__

/* Evaluate a call at the level that was asked for. */
static KIRQL Level;

static KIRQL Raise(void)
{
    KIRQL old;

    KeRaiseIrql(Level, &old);
    return old;
}

static void Lower(KIRQL *old)
{
    KeLowerIrql(*old);
}
#define LOWERED __attribute__((cleanup(Lower)))
#define AT_LEVEL(call) __extension__({ KIRQL old_ LOWERED = Raise(); (void)old_; call; })
"""
_COMMANDS = """\
typedef ULONG IDIOM(void);

static NTSTATUS Run(IDIOM *const *table, ULONGLONG number, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "line", table[number]());
    return STATUS_SUCCESS;
}

static NTSTATUS Idiom(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    static IDIOM *const table[] = {%s};

    return Run(table, argument[0], reply);
}
DMAV3_COMMAND(idiom, "number", Idiom);

/* With the routine of its limit called at this level. */
static NTSTATUS AtLevel(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    static IDIOM *const table[] = {%s};

    Level = (KIRQL)argument[1];
    return Run(table, argument[0], reply);
}
DMAV3_COMMAND(at_level, "number level", AtLevel);
"""


@dataclass(frozen=True)
class Idiom:
    """Some lines that a driver has.

    :ivar uses: names of the interface in it; the first one names the idiom.
    :ivar source: a public project and a file of it that uses the first name.
    :ivar code: the lines; `CHECK` says what must be true then.
    :ivar top: what stands outside of functions.
    :ivar limit: a routine, and the highest level at which it may be called.
    :ivar misuse: lines that run one level above as a whole, where `code` would not come back from
        there; without them it is `code`, with the calls of the routine at a level of choice.
    """

    number: int
    uses: tuple[str, ...]
    source: str
    code: str
    top: str = ""
    limit: tuple[str, int] | None = None
    misuse: str = ""

    @property
    def name(self) -> str:
        """By which a failure is told."""
        return self.uses[0]

    @property
    def is_asserted(self) -> bool:
        """Whether it is run, and what it does is checked."""
        return "CHECK(" in self.code

    def functions(self, text: str) -> Iterator[str]:
        """Yield the C of it; lines are those of the data file."""
        line = _line(text, self.code)
        if self.top:
            yield f'#line {_line(text, self.top)} "{DATA.name}"\n{self.top}'
        yield f"static ULONG idiom_{self.number}(void)\n{{"
        yield f'#line {line} "{DATA.name}"\n{self.code}\n    return 0;\n}}'
        if self.misuse:
            yield f"static ULONG level_{self.number}(void)\n{{\nKIRQL old_ = Raise();"
            yield f'#line {line} "{DATA.name}"\n{self.misuse}\nLower(&old_);\n    return 0;\n}}'
        elif self.limit:
            routine = self.limit[0]
            yield f"#define {routine}(...) AT_LEVEL({routine}(__VA_ARGS__))"
            yield f"static ULONG level_{self.number}(void)\n{{"
            yield f'#line {line} "{DATA.name}"\n{self.code}\n    return 0;\n}}'
            yield f"#undef {routine}"


def _line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def read() -> tuple[list[Idiom], dict[str, str]]:
    """Return the idioms, and what is not provided with the reason."""
    data = tomllib.loads(DATA.read_text())
    idioms = []
    for number, row in enumerate(data["idiom"]):
        routine, _, level = row.get("limit", "").partition(" ")
        idioms.append(
            Idiom(
                number,
                tuple(row["uses"].split()),
                row.get("source", ""),
                row["code"],
                row.get("top", ""),
                (routine, int(level)) if routine else None,
                row.get("misuse", ""),
            )
        )
    return idioms, data["absent"]


def c_file(idioms: list[Idiom]) -> str:
    """Return the driver that has them all."""
    text = DATA.read_text()
    parts = [_HEAD]
    for idiom in idioms:
        parts += idiom.functions(text)
    run = ", ".join(f"idiom_{idiom.number}" for idiom in idioms)
    level = ", ".join(f"level_{idiom.number}" if idiom.limit else "NULL" for idiom in idioms)
    return "\n".join([*parts, f'#line 1 "commands.c"\n{_COMMANDS % (run, level)}'])


def owner(place: str) -> tuple[str, int] | None:
    """Return whether a violation is of an idiom or of one at a level, and its number."""
    found = re.search(r"(idiom|level)_(\d+)", place)
    return (found[1], int(found[2])) if found else None
