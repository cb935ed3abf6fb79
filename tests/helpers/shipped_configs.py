"""The configurations that come with the package; others in `config` are a user's own."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
IGNORED = (ROOT / ".gitignore").read_text(encoding="utf-8")
SHIPPED = [ROOT / name for name in re.findall(r"^!/(config/.+)$", IGNORED, flags=re.MULTILINE)]
