"""The exception for errors that the user can fix; shown as one line, with exit code 2."""

from svfap.redact import redacted


class SvfapError(Exception):
    """A problem in the user's input; the message says what is wrong and how to fix it."""

    def __str__(self) -> str:
        """Return the message in one line, even if a name in it contains line breaks; no secrets."""
        return redacted(" ".join(super().__str__().splitlines()))
