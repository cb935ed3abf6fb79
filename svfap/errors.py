"""The one exception that means "you can fix this": shown as a single line, exit code 2."""


class SvfapError(Exception):
    """A problem in the user's input; the message says what is wrong and how to mend it."""

    def __str__(self) -> str:
        """The message in one line, whatever a name in it holds."""
        return " ".join(super().__str__().splitlines())
