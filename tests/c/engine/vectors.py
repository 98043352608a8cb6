# SPDX-License-Identifier: Apache-2.0
"""Print the vectors of tests/vectors/pl330.json as rows in C: text, code, length."""

import json
import sys

for vector in json.load(sys.stdin):
    code = bytes.fromhex(vector["code"])
    print(
        f'{{"{vector["text"]}", {{{", ".join(f"0x{byte:02x}" for byte in code)}}}, {len(code)}}},'
    )
