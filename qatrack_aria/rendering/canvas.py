"""What Pillow needs to write on a picture."""

from __future__ import annotations

import importlib
import unicodedata
from typing import TYPE_CHECKING, Any, Sequence

from qatrack_aria.errors import ConfigurationError

if TYPE_CHECKING:
    from PIL.Image import Image

FONT_SIZE = 12
LINE = 16
WHITE, PALE, MEDIUM, BLACK = 255, 232, 128, 0


class TextWriter:
    """Writes in the one font that comes with Pillow."""

    def __init__(self, image: Image) -> None:
        self._draw = library("PIL.ImageDraw").Draw(image)
        self._font = _font()

    def write(self, x: int, y: int, lines: Sequence[str], width: int) -> None:
        """Write lines below each other, each cut off where it gets too wide."""
        for number, line in enumerate(lines):
            line = plain(line)
            while self._length(line) > width:
                line = line[:-1]
            self._draw.text((x, y + number * LINE), line, font=self._font, fill=BLACK)

    def wrapped(self, paragraph: str, width: int) -> list[str]:
        """The lines of a paragraph, broken between words."""
        lines: list[str] = []
        for word in plain(paragraph).split():
            if lines and self._length(f"{lines[-1]} {word}") <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def _length(self, line: str) -> float:
        return float(self._draw.textlength(line, font=self._font))


def _font() -> Any:
    fonts = library("PIL.ImageFont")
    try:
        return fonts.load_default(FONT_SIZE)
    except (TypeError, ImportError):  # Pillow before 10.1, or without FreeType: 11 pixels high
        return fonts.load_default()


def plain(line: str) -> str:
    """The line in ASCII, which is all that the font has: letters lose their accents."""
    parts = unicodedata.normalize("NFKD", line[:500])
    letters = (part for part in parts if not unicodedata.combining(part))
    return "".join(part if " " <= part <= "~" else "?" for part in letters)


def blank(size: tuple[int, int], grey: int) -> Any:
    """A picture of one grey; width and height in pixels."""
    return library("PIL.Image").new("L", size, grey)


def library(name: str) -> Any:
    """A module of numpy or Pillow; raises :class:`ConfigurationError` where they are missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"Pictures: numpy and Pillow are needed, and {name.split('.')[0]} cannot be imported "
            f"({error}): pip install 'qatrack-aria[pictures]' into QATrack+'s Python environment."
        ) from error


def require_libraries() -> None:
    """Say early what cannot be drawn later; raises as :func:`library` does."""
    for name in ("numpy", "PIL"):
        library(name)
