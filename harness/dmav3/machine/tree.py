# SPDX-License-Identifier: Apache-2.0
"""The device tree of a guest's machine, made from its description. Pure but for the template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fdt
import jinja2

from dmav3 import installation

if TYPE_CHECKING:
    from .description import Machine

#: Version of the flattened format (Devicetree Specification).
_VERSION = 17


def device_tree(machine: Machine, *, coherent: bool | None = None) -> bytes:
    """Return the flattened device tree of a machine, as a guest gets it.

    :param coherent: whether its devices are said to see the CPU's caches; None: as it is. The other
        way round it is a lie, with which a guest can be seen to break.
    """
    if coherent is None:
        coherent = machine.view == "none"
    pl330 = machine.pl330[0]
    template = installation.tree().read_text(encoding="utf-8")
    text = jinja2.Template(template, undefined=jinja2.StrictUndefined).render(
        name=machine.name,
        cpu=machine.cpu,
        memory=hex(machine.memory_mib << 20),
        pl330={"base": f"{pl330.base:x}", "irqs": (pl330.abort_irq, *pl330.event_irqs)},
        coherent=coherent,
    )
    return bytes(fdt.parse_dts(text).to_dtb(_VERSION))
