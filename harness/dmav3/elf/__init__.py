# SPDX-License-Identifier: Apache-2.0
"""What debug information says: symbols, lines, layouts of structures."""
