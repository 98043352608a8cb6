# SPDX-License-Identifier: Apache-2.0
"""The rules of the interface (rules.yaml), the tests that decide them, and the report on both.

Tests are `test_*.py` in this folder and carry `dmav3_rule` marks. They are part of the package,
because its users run them against firmware of their own: `dmav3 conformance`.
"""
