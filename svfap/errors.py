"""The one exception that means "you can fix this": shown as a single line, exit code 2."""


class SvfapError(Exception):
    """A problem in the user's input; the message says what is wrong and how to mend it."""
