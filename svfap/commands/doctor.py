"""Command `doctor`: check that this machine is ready for a long run, and what to fix first."""

from collections.abc import Sequence

from svfap import doctor
from svfap.errors import SvfapError


def run(arguments: Sequence[str]) -> str:
    """Print each finding as soon as its check is done.

    Returns:
        A closing line with the number of warnings.

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
