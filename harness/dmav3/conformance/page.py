# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file that needs nothing else: no network, no second file."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from dmav3.rules.rules import rules

from .verdicts import VERDICTS

if TYPE_CHECKING:
    from .verdicts import RuleReport


def render(report: RuleReport) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("dmav3.conformance", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slug"] = _slug
    return environment.get_template("page.html.j2").render(
        report=report,
        ran=report.circumstances,
        rules=rules(),
        verdicts=VERDICTS,
        counts=report.counts(),
        numbers={test.id: number for number, test in enumerate(report.tests)},
        version=version("dmav3"),
    )


def _slug(verdict: str) -> str:
    """Return a verdict as the name of a class, such as `pass-host`."""
    return verdict.replace(" (", "-").replace(")", "").replace(" ", "-")
