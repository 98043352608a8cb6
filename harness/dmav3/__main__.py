# SPDX-License-Identifier: Apache-2.0
"""`python -m dmav3` is `dmav3`."""

from dmav3.command.cli import main

main()
