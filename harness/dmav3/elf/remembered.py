# SPDX-License-Identifier: Apache-2.0
"""Types that an earlier process has found: the search of debug information is what takes longest.

They lie in `${XDG_CACHE_HOME:-~/.cache}/dmav3/layouts/`, a file for each of the last 100 ELFs. Its
name is a digest of the ELF and of the code that searches it. It is a convenience: where a file is
of no use, the search is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .layout import Struct

#: By kind and name: layouts of structures, members of enumerations.
_Layouts = TypeAdapter(dict[str, Struct | dict[str, int]])
_KEPT = 100


class Remembered:
    """The types of one ELF by name, such as "enum irql", as far as they were ever asked for."""

    def __init__(self, data: bytes) -> None:
        """Read those of the ELF with these bytes."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - does not raise
        folder = Path(cache) / "dmav3" / "layouts"
        digest = hashlib.sha256(data)
        for source in ("dwarf.py", "layout.py"):
            digest.update(Path(__file__).with_name(source).read_bytes())
        self._path = folder / f"{digest.hexdigest()}.json"
        self._layouts: dict[str, Struct | dict[str, int]] = {}
        with contextlib.suppress(OSError, ValidationError):
            self._layouts = _Layouts.validate_json(self._path.read_bytes())

    def get(self, name: str) -> Any:
        """Return the type of that name, if it is remembered."""
        return self._layouts.get(name)

    def add(self, name: str, layout: Struct | dict[str, int]) -> None:
        """Remember one more, as far as the folder can be written."""
        self._layouts[name] = layout
        folder = self._path.parent
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(_Layouts.dump_json(self._layouts))
            Path(file.name).replace(self._path)
            by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in by_age[_KEPT:]:
                path.unlink(missing_ok=True)
