# SPDX-License-Identifier: Apache-2.0
"""A running shim: on an emulated board, or in a process of this computer."""
