# SPDX-License-Identifier: Apache-2.0
"""Break the cache model on purpose, one way after the other: the host tests must notice each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXT = ROOT / "qemu-machines" / "ext"
MODEL = EXT / "model" / "cache_model.c"
FLAGS = ["-std=c11", "-O1", "-w", f"-I{EXT}", f"-I{ROOT / 'tests' / 'c'}"]
#: What is broken: the text in the model, and what stands there instead.
MUTANTS = {
    "no copy-down": ("    copy_down(model, line);\n    masks->lost", "    masks->lost"),
    "no copy-up": ("        copy_up(model, line);\n", "        ;\n"),
    "no dirty bit": (
        "set_state(model, line, CACHE_LINE_VALID | CACHE_LINE_DIRTY);",
        "set_state(model, line, CACHE_LINE_VALID);",
    ),
    "wrong tag compare": ("if (way->stamp && way->line == line)", "if (way->stamp)"),
    "no LRU update": ("    way->stamp = model->clock;\n", "    way->stamp = 1;\n"),
    "no mask update": ("    masks->unclean |= bytes;\n", ""),
    "no device mask": ("        model->line[line].device |= bytes;\n", ""),
    "bounce pages ignored": ("(masks->device | masks->bounced) & bytes", "masks->device & bytes"),
    "no invalidate": (
        "    if (operation & CACHE_INVALIDATE) {\n        invalidate(model, line);\n    }\n",
        "",
    ),
    "set taken for way": (
        "which = &model->ways[(size_t)set * model->geometry.ways + way];",
        "which = &model->ways[(size_t)way * model->geometry.ways + set];",
    ),
    "no DSB completion": (
        "    while (completes_maintenance && maintained->count)",
        "    while (0)",
    ),
    "no alias check": (
        "    hazard(model, CACHE_MISMATCHED_ALIAS, cpu, offset, byte_mask(model, offset, 1));\n",
        "",
    ),
    "seed ignored": ("model->seed * 0x9e3779b97f4a7c15ull", "0x9e3779b97f4a7c15ull"),
}


def test_the_model_itself_passes(tmp_path: Path) -> None:
    """Otherwise it would say nothing that a mutant fails."""
    assert all(passes(tmp_path, name, MODEL) for name in ("cache_model", "cache_reference"))


@pytest.mark.parametrize(("text", "instead"), MUTANTS.values(), ids=MUTANTS)
def test_a_broken_model_is_noticed(tmp_path: Path, text: str, instead: str) -> None:
    """One of the two test programs fails on the mutant."""
    model = MODEL.read_text()
    assert model.count(text) == 1
    mutant = tmp_path / "cache_model.c"
    mutant.write_text(model.replace(text, instead))
    assert not all(passes(tmp_path, name, mutant) for name in ("cache_model", "cache_reference"))


def passes(folder: Path, test: str, model: Path) -> bool:
    """Compile a test program with a model and run it."""
    program = folder / test
    source = Path(__file__).with_name(f"test_{test}.c")
    subprocess.run(["clang-19", *FLAGS, "-o", program, source, model], check=True)  # noqa: S607
    done = subprocess.run([program], capture_output=True, check=False, timeout=60)
    return done.returncode == 0
