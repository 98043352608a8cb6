# SPDX-License-Identifier: Apache-2.0
"""Print the vectors of tests/vectors/pl330.json as checks in C.

The argument is the header with the functions: one without a vector ends the build.
"""

import json
import re
import sys
from pathlib import Path

vectors = json.load(sys.stdin)
declared = set(re.findall(r"pl330_emit_(\w+)\(", Path(sys.argv[1]).read_text()))
missing = declared - {vector["emit"] for vector in vectors}
if missing:
    sys.exit(f"tests/vectors/pl330.json has no vector for {', '.join(sorted(missing))}")

for vector in vectors:
    arguments = ", ".join(["&code", *([vector["with"]] if "with" in vector else [])])
    code = ", ".join(f"0x{byte:02X}" for byte in bytes.fromhex(vector["code"]))
    print(f"start_at({vector.get('at', 0)});")
    print(f"pl330_emit_{vector['emit']}({arguments});")
    print(
        f'check_code("{vector["text"]}", (const uint8_t[]){{{code}}}, {len(vector["code"]) // 2});'
    )
