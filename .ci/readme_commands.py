"""Print the README's own commands, one a line: the first is the main job, the second runs the tests.

CI runs what a reader would paste, so that a step missing there fails here.
"""

from __future__ import annotations

import re
from pathlib import Path

readme = Path(__file__).resolve().parent.parent / "README.md"
blocks = re.findall(r"^```sh\n(.+?)\n```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
commands = [block for block in blocks if "\n" not in block][:2]
if len(commands) != 2 or "minigrad draw" not in commands[0] or "pytest" not in commands[1]:
    raise SystemExit(f"README.md must begin with two one-line sh commands, a drawing and the tests; found {commands}")
print("\n".join(commands))
