# SPDX-License-Identifier: Apache-2.0
"""The tests that decide the rules, and what they are made with."""
