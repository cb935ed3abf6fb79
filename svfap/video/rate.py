"""Frame rates as fractions, as video files hold them."""

from fractions import Fraction

# This limit keeps whole rates and the NTSC rates (30000/1001, 24000/1001) exact.
_LARGEST_DENOMINATOR = 1001


def frame_rate(fps: float) -> Fraction:
    """Return a frame rate as a fraction of small numbers; 1 / 3600 for a frame an hour."""
    if fps < 1:
        return 1 / Fraction(1 / fps).limit_denominator(_LARGEST_DENOMINATOR)
    return Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR)
