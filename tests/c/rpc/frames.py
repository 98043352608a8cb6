# SPDX-License-Identifier: Apache-2.0
"""Print the vectors of tests/vectors/frames.json that a shim can receive as a table in C."""

import json
import sys


def literal(text: str) -> str:
    """Return `text` as a C string, every byte escaped, so that no byte means anything to C."""
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode("latin-1")) + '"'


for vector in json.load(sys.stdin):
    if vector["kind"] in ("request", None):
        words = vector.get("words", [])
        fields = [
            literal(vector["line"]),
            str(len(vector["line"])),
            str(int(vector["valid"])),
            str(vector.get("seq", 0)),
            str(len(words)),
            "{" + ", ".join(map(literal, words)) + "}" if words else "{NULL}",
        ]
        print("{" + ", ".join(fields) + "},")
