# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file that needs nothing else: no network, no second file."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from dmav3.rules.rules import rules

from .verdicts import VERDICTS

if TYPE_CHECKING:
    from .verdicts import Ended, RuleReport


def render(report: RuleReport) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("dmav3.conformance", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tests: dict[str, Ended] = {test.id: test for one in report.decisions for test in one.tests}
    return environment.get_template("page.html.j2").render(
        report=report,
        rules=rules(),
        verdicts=VERDICTS,
        counts=report.counts(),
        tests=tests,
        numbers={test_id: number for number, test_id in enumerate(tests)},
        version=version("dmav3"),
    )
