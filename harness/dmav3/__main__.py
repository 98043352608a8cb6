# SPDX-License-Identifier: Apache-2.0
"""`python -m dmav3` is `dmav3`."""

from .cli import main

main()
