# SPDX-License-Identifier: Apache-2.0
"""Devices of a board, as a test drives them."""
