"""Command `doctor`: is this machine ready for a long run, and what must be fixed."""

from collections.abc import Sequence

from svfap import doctor
from svfap.errors import SvfapError


def run(arguments: Sequence[str]) -> str:
    """Print every finding as soon as it is known.

    Returns:
        That all is well, and how many lines to read.

    Raises:
        SvfapError: something must be fixed first.
    """
    counts = dict.fromkeys((doctor.OK, doctor.WARN, doctor.FIX), 0)
    for state, line in doctor.lines(arguments):
        print(line, flush=True)
        counts[state] += 1
    if counts[doctor.FIX]:
        raise SvfapError(f"{counts[doctor.FIX]} to fix before a run")
    return f"\nReady, with {counts[doctor.WARN]} to read" if counts[doctor.WARN] else "\nReady"
