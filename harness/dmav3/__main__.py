# SPDX-License-Identifier: Apache-2.0
"""The entry point of `dmav3`, and of `python -m dmav3`: Ctrl-C ends it at any moment alike."""

from __future__ import annotations

import sys

from dmav3.errors import INTERRUPTED


def main() -> None:
    """Import the command line, which takes a while, and run it."""
    try:
        from dmav3.command.cli import main as run  # noqa: PLC0415 - it may be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
