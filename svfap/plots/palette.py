"""One colour for each class name, the same in all figures, videos and pages.

Colours are of Okabe and Ito (2008) and of Tol's muted scheme, safe for colour-blind readers.
"""

from collections import Counter
from collections.abc import Sequence
from zlib import crc32

_EMOTIONS = {
    "anger": "#D55E00",
    "contempt": "#8C564B",
    "disgust": "#009E73",
    "fear": "#332288",
    "happiness": "#E69F00",
    "neutral": "#7F7F7F",
    "sadness": "#0072B2",
    "surprise": "#CC79A7",
    "calm": "#56B4E9",
}
_SYNONYMS = {
    **dict.fromkeys(("angry", "rage"), "anger"),
    **dict.fromkeys(("contemptuous",), "contempt"),
    **dict.fromkeys(("disgusted",), "disgust"),
    **dict.fromkeys(("fearful", "afraid", "scared"), "fear"),
    **dict.fromkeys(("happy", "joy", "joyful", "smile"), "happiness"),
    **dict.fromkeys(("sad",), "sadness"),
    **dict.fromkeys(("surprised",), "surprise"),
    **dict.fromkeys(("neutrality",), "neutral"),
}
COLOURS = (*_EMOTIONS.values(), "#999933", "#AA4499", "#44AA99", "#117733", "#661100")
# Models are compared in shades, so that no bar looks like a class.
SHADES = ("#1F3B5C", "#9DB0C4", "#5E7F9F", "#C9D3DE")


def colours_of(names: Sequence[str]) -> list[str]:
    """Return a colour #RRGGBB for each class or value.

    An emotion has its own colour, whatever other classes a dataset has and in whatever order. So
    has any other name, unless its colour is taken. Colours repeat only if there are more names than
    colours.
    """
    chosen: dict[str, str] = {}
    for name in sorted(set(names), key=lambda name: (_emotion(name) not in _EMOTIONS, name)):
        uses = Counter(chosen.values())
        # The first of the least used colours: an emotion's own, or the next one after it.
        chosen[name] = min(_preferred(name), key=lambda colour: uses[colour])
    return [chosen[name] for name in names]


def _emotion(name: str) -> str:
    plain = name.casefold().strip()
    return _SYNONYMS.get(plain, plain)


def _preferred(name: str) -> tuple[str, ...]:
    """Return all colours, from the one that a name should have."""
    emotion = _emotion(name)
    own = _EMOTIONS.get(emotion)
    first = COLOURS.index(own) if own else crc32(emotion.encode()) % len(COLOURS)
    return COLOURS[first:] + COLOURS[:first]
