# SPDX-License-Identifier: Apache-2.0
"""Guest memory, seen from outside."""
