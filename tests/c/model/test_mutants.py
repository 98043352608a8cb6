# SPDX-License-Identifier: Apache-2.0
"""Break the cache model on purpose, one way after the other: the host tests must notice each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXT = ROOT / "qemu-machines" / "ext"
MODEL = [EXT / "model" / "cache_model.c", EXT / "model" / "order.c"]
FLAGS = ["-std=c11", "-O1", "-w", f"-I{EXT}", f"-I{ROOT / 'tests' / 'c'}"]
#: Of the random walk: what a mutant needs that several operations on one line must bring about.
STEPS = "2000000"
#: What is broken: the text in the model, and what stands there instead.
MUTANTS = {
    "no copy-down": ("    copy_down(model, line);\n    model->views", "    model->views"),
    "no copy-up": ("        copy_up(model, line);\n", "        ;\n"),
    "no dirty bit": (
        "    model->views.lines[line] |= CACHE_LINE_DIRTY | CACHE_LINE_UNCLEAN;\n",
        "    model->views.lines[line] |= CACHE_LINE_UNCLEAN;\n",
    ),
    "wrong way": ("first_way(model, line) + model->way_of[line]", "first_way(model, line)"),
    "views that differ forgotten": (
        "    model->views.lines[line] |= valid ? LINE_DIFFERS : 0;\n",
        "",
    ),
    "no LRU update": ("    *stamp = model->clock;\n", "    *stamp = 1;\n"),
    "odd ways only": ("    return lesser(even, odd) &", "    return lesser(odd, odd) &"),
    "even ways only": ("    return lesser(even, odd) &", "    return lesser(even, even) &"),
    "no mask update": (
        "    cache_keep_store(&model->stores[line], bytes, model->order.full_count);\n",
        "",
    ),
    "no device mask": ("    masks->device |= bytes;\n", ""),
    "bounce pages ignored": (
        "((masks->device & ~arriving) | masks->bounced) & bytes",
        "(masks->device & ~arriving) & bytes",
    ),
    "no invalidate": (
        "    if (operation & CACHE_INVALIDATE) {\n        invalidate(model, line, by);\n    }\n",
        "",
    ),
    "set taken for way": (
        "which = (size_t)set * model->geometry.ways + way;",
        "which = (size_t)way * model->geometry.ways + set;",
    ),
    "no alias check": ("    hazard(model, CACHE_MISMATCHED_ALIAS, cpu, offset, bytes);\n", ""),
    "alias blamed for a clean byte": ("(model->stores[line].unclean & bytes) | differing", "bytes"),
    "alias with wrong bytes": (
        "(model->stores[line].unclean & bytes) | differing",
        "model->stores[line].unclean & bytes",
    ),
    "store to an alias of its own bytes only": (
        "model->stores[line].unclean ? bytes : 0",
        "model->stores[line].unclean & bytes",
    ),
    "alias filled": ("    model->page_known[offset / PAGE] = PAGE_ALIASED;\n", ""),
    "seed ignored": ("model->seed * 0x9e3779b97f4a7c15ull", "0x9e3779b97f4a7c15ull"),
    # What a barrier orders.
    "barrier without effect": ("    go_on(order);\n    order->stores", "    order->stores"),
    "ST takes maintenance": ("    if (kind == ORDER_FULL) {\n", "    {\n"),
    "full barrier takes no stores": (
        "    order->stores = order->now;\n",
        "    if (kind != ORDER_FULL) {\n        order->stores = order->now;\n    }\n",
    ),
    "STLR is a plain store": ("order->releasing ? order->now : order->stores", "order->stores"),
    "STLR takes maintenance": (
        ".maintenance = order->full,",
        ".maintenance = order->releasing ? order->now : order->full,",
    ),
    # Which start judges.
    "start without a moment": ("    go_on(order);\n    order->latest", "    order->latest"),
    "stores after the start": (
        "starts->start[i].stores <= moment && moment < starts->start[i].at",
        "starts->start[i].stores <= moment",
    ),
    "maintenance after the start": (
        "starts->start[i].maintenance <= moment && moment < starts->start[i].at",
        "starts->start[i].maintenance <= moment",
    ),
    "store of a neighbour": ("masks->stored & bytes, starts", "masks->stored, starts"),
    "clean of a neighbour": ("masks->cleaned & bytes, starts", "masks->cleaned, starts"),
    "moment of the neighbour": (
        "        moment[__builtin_ctzll(bytes)] = now;\n",
        "        moment[__builtin_ctzll(bytes) & ~1] = now;\n",
    ),
    "starts not judged": (
        "            return true;\n        }\n    }\n    return false;\n}\n\nbool order_maint",
        "            return false;\n        }\n    }\n    return false;\n}\n\nbool order_maint",
    ),
    "starts add up without doorbells": ("if (!keep || starts->accessed)", "if (starts->accessed)"),
    "doorbells of before an access": ("if (!keep || starts->accessed)", "if (!keep)"),
    "every start is the first": ("    starts->accessed = true;\n", ""),
    "last doorbell only": ("if (!keep || starts->accessed)", "if (true)"),
    "starts merged over barriers": (
        "one->stores == other->stores && one->maintenance == other->maintenance",
        "true",
    ),
    "too many starts": ("            starts->count--;\n", "            starts->count = 0;\n"),
    # A device's write.
    "no maintenance under way": (
        "        hazard(model, CACHE_MISSING_BARRIER, device, offset, under_maintenance",
        "        (void)(under_maintenance",
    ),
    "last invalidate only": (" || order_maintenance_races(starts, masks->raced)", ""),
    "race forgotten": ("        masks->raced = masks->invalidated;\n", ""),
    "race kept of ordered ones": (
        "    if (order_maintenance_races(&latest, masks->invalidated)) {\n",
        "    {\n",
    ),
    # An invalidate behind it.
    "invalidate counts always": ("counts = counts_for(model, line, bytes);", "counts = bytes;"),
    "barrier of no use": ("return moment < order->full || order->full == LAST;", "return false;"),
    "polling takes a barrier": (
        "untold = bytes & ~those(model, line, bytes, order_is_told);",
        "untold = 0;",
    ),
    "asking is of no use": ("(those(model, line, bytes, order_is_asked) & ~counts)", "0"),
    "asking suffices": (
        "            (by == BY_ADDRESS ? 0 : counts) |",
        "            (by == BY_ADDRESS ? 0 : counts) & 0 &",
    ),
    "pending for ever": ("        masks->pending = 0;\n", "        ;\n"),
    "pending without a barrier": (
        "if (masks->pending && order_is_behind",
        "if (true || order_is_behind",
    ),
    "an interrupt asks": ("    if (asked) {\n", "    {\n"),
    "nothing tells": ("    order->told = order->now - 1;\n", ""),
    "a flag does not tell": ("        order->told = moment;\n", ""),
    "an uncached flag does not tell": (
        "    tell(model, line, model->line[line].device & bytes);\n",
        "",
    ),
    "told of what comes": (
        "        order->told = moment;\n        go_on(order);\n",
        "        order->told = moment;\n",
    ),
    "news forgotten": ("        masks->news |= by == BY_ADDRESS ? counts : 0;\n", ""),
    "news of the fill forgotten": ("        masks->news |= arriving;\n", ""),
    # Polling.
    "no polling": (
        "    uint64_t bytes = masks->device & masks->fresh;\n",
        "    uint64_t bytes = 0;\n",
    ),
    "polling without an invalidate": (
        "    uint64_t bytes = masks->device & masks->fresh;\n",
        "    uint64_t bytes = masks->device;\n",
    ),
    "told and polling": (
        "    return bytes & ~those(model, line, bytes, order_is_told);\n",
        "    return bytes;\n",
    ),
    "one load is enough": (
        "    masks->news &= ~bytes;\n    masks->fresh &= ~bytes;\n",
        "    masks->news &= ~bytes;\n",
    ),
    "the fill brings one byte": (
        "        masks->device &= ~arriving;\n",
        "        masks->device &= ~(arriving & bytes);\n",
    ),
    "the fill brings what it could not": ("arriving & equal_bytes(model, line)", "arriving"),
    "fresh behind a store that is overwritten in memory": (
        "    masks->fresh &= ~model->stores[line].unclean;\n    overwritten(",
        "    overwritten(",
    ),
    "news behind a store": (
        "    masks->news &= ~stores->unclean;\n    stores->unclean = 0;\n    if (bytes)",
        "    stores->unclean = 0;\n    if (bytes)",
    ),
    "shortcut past fresh bytes": (
        "writable && !((state & LINE_KEPT) && model->line[line].fresh)",
        "writable",
    ),
    "news behind a store that is discarded": (
        "    masks->news &= ~stores->unclean;\n    masks->lost_cpu",
        "    masks->lost_cpu",
    ),
    "fresh behind a store": (
        (
            "    masks->fresh &= ~stores->unclean;\n"
            "    masks->news &= ~stores->unclean;\n    stores->unclean"
        ),
        "    masks->news &= ~stores->unclean;\n    stores->unclean",
    ),
    "fresh behind a store that is discarded": (
        (
            "    masks->fresh &= ~stores->unclean;\n"
            "    masks->news &= ~stores->unclean;\n    masks->lost_cpu"
        ),
        "    masks->news &= ~stores->unclean;\n    masks->lost_cpu",
    ),
    # By set and way.
    "set and way in program order": ("by == BY_SET_AND_WAY && stores", "false && stores"),
    "stores of before the barrier": (
        "by == BY_SET_AND_WAY && stores->barriers == model->order.full_count",
        "by == BY_SET_AND_WAY",
    ),
    "rushed for ever": ("    masks->rushed = hasty;\n", "    masks->rushed |= hasty;\n"),
    "set and way invalidate in program order": ("(by == BY_ADDRESS ? 0 : counts) |", "0 |"),
    "lines that have left": ("    maintain_absent(model, operation, set);\n", ""),
    "lines that leave": (
        "(model->views.lines[line] & CACHE_LINE_UNCLEAN) ||",
        "false ||",
    ),
    "lines that a device wrote": (
        "from, size);\n        model->absent[set_index(model, line)] = 1;\n",
        "from, size);\n",
    ),
}


def test_the_model_itself_passes(tmp_path: Path) -> None:
    """Otherwise it would say nothing that a mutant fails."""
    assert all(passes(tmp_path, name, MODEL) for name in ("cache_model", "cache_reference"))


@pytest.mark.parametrize(("text", "instead"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_model_is_noticed(tmp_path: Path, text: str, instead: str) -> None:
    """One of the two test programs fails on the mutant."""
    (broken,) = (part for part in MODEL if part.read_text().count(text))
    source = broken.read_text()
    assert source.count(text) == 1
    mutant = tmp_path / broken.name
    mutant.write_text(source.replace(text, instead))
    parts = [mutant, *(part for part in MODEL if part != broken)]
    assert not all(passes(tmp_path, name, parts) for name in ("cache_model", "cache_reference"))


def passes(folder: Path, test: str, model: list[Path]) -> bool:
    """Compile a test program with a model and run it."""
    program = folder / test
    source = Path(__file__).with_name(f"test_{test}.c")
    subprocess.run(["clang-19", *FLAGS, "-o", program, source, *model], check=True)  # noqa: S607
    done = subprocess.run([program, STEPS], capture_output=True, check=False, timeout=120)
    return done.returncode == 0
