"""Find phrases that slow a reader down, and suggest plainer ones: `python docs/plain_english.py`.

Checks the documentation, and the docstrings, comments and messages of the code. Prints one line
per finding, `file:line: phrase: suggestion`, and exits with 1 if there are any.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATTERNS = (
    "*.md",
    "docs/*.md",
    "docs/*.py",
    "envs/*.yaml",
    "Snakefile",
    "Makefile",
    "workflow/**/*.smk",
    "workflow/**/*.rst",
    "workflow/**/*.yaml",
    "benchmarks/**/*.py",
    "benchmarks/*.md",
    "svfap/**/*.py",
)
PHRASES = {  # regular expression, spaces match any white space -> suggestion
    r"of (which|whom)": "start a new sentence, or name the thing",
    r"(that|those) of": "repeat the noun, or use a possessive",
    r"told": "says, reports, described",
    r"stands? for": "means, represents, covers",
    r"stands? (there|wherever|below|beside|ready|in)": "is, appears, is printed",
    r"anew": "again",
    r"(is|are|was|were|be) handed": "receives, gets",
    r"comes? again": "repeats, appears again",
    r"(can|cannot|could|to) be had": "is available, is unavailable",
    r"had from": "comes from, downloaded from",
    r"begun with": "started from",
    r"begin again": "start over, restart",
    r"taken up": "resumed, used, read",
    r"as are": "as ... are",
    r"(is|are|was|were) asked for": "requested, needed",
    r"gone on": "continued, resumed",
    r"made of it": "made from it",
    r"(comes?|came) of it": "the result is",
    r"(is|are) kept from": "is not allowed to, cannot",
    r"the same to": "equal within",
    r"taken for": "treated as, estimated as",
    r"in which it (was|is)": "name the place or time",
    r"mend(s|ed|ing)?": "fix",
    r"as (far|long) as there (is|are)": "if there is",
    r"(is|are) said of": "says about",
    r"what there is": "everything available, the list",
    r"for ever": "forever",
    r"of one's own": "your own",
    r"without end": "endlessly, repeatedly",
}
_RULES = [
    (re.compile(rf"\b{phrase}\b".replace(" ", r"\s+"), re.IGNORECASE), suggestion)
    for phrase, suggestion in PHRASES.items()
]


def findings(text: str, line: int = 1) -> Iterator[tuple[int, str, str]]:
    """Yield line, phrase and suggestion for every banned phrase in a text that starts at `line`."""
    for rule, suggestion in _RULES:
        for match in rule.finditer(text):
            phrase = " ".join(match[0].split())
            yield line + text.count("\n", 0, match.start()), phrase, suggestion


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each string and each block of comments in Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    block: list[str] = []
    start, end = 1, -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != end + 1:
                yield start, "\n".join(block)
                block, start = [], token.start[0]
            block.append(token.string.lstrip("# "))
            end = token.start[0]
    yield start, "\n".join(block)


def check(path: Path) -> list[tuple[int, str, str]]:
    """Findings in one file, sorted by line."""
    text = path.read_text(encoding="utf-8")
    chunks = prose(text) if path.suffix == ".py" else [(1, _joined(text))]
    return sorted({finding for line, chunk in chunks for finding in findings(chunk, line)})


def _joined(text: str) -> str:
    """Text without the marks that start a comment line, so that phrases match across lines."""
    return re.sub(r"(?m)^[ \t]*#+ ?", "", text)


def _configurations() -> list[str]:
    """Return the configurations that come with the package: git ignores a user's own."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    return re.findall(r"(?m)^!/(config/.+)$", ignored)


def main(arguments: list[str]) -> int:
    """Check the given files, or all of them; return 1 if there are findings."""
    files = [Path(name).absolute() for name in arguments] or sorted(
        {path for pattern in (*PATTERNS, *_configurations()) for path in ROOT.glob(pattern)}
        - {Path(__file__).absolute()}
    )
    found = [(path, *finding) for path in files for finding in check(path)]
    for path, line, phrase, suggestion in found:
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        print(f"{shown}:{line}: {phrase}: {suggestion}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
