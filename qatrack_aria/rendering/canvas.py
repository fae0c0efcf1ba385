"""Text on pictures, and the import of numpy and Pillow."""

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
    """Writes on a picture in the font that comes with Pillow."""

    def __init__(self, image: Image) -> None:
        self._draw = library("PIL.ImageDraw").Draw(image)
        self._font = _font()

    def write(self, x: int, y: int, lines: Sequence[str], width: int) -> None:
        """Write lines below each other, each cut off at `width` pixels."""
        for number, line in enumerate(lines):
            line = plain(line)
            while self._length(line) > width:
                line = line[:-1]
            self._draw.text((x, y + number * LINE), line, font=self._font, fill=BLACK)

    def wrap(self, paragraph: str, width: int) -> list[str]:
        """Return the lines of a paragraph, broken between words."""
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
    """Return a line in ASCII, as the font has no other letters: accents are dropped."""
    parts = unicodedata.normalize("NFKD", line[:500])
    letters = (part for part in parts if not unicodedata.combining(part))
    return "".join(part if " " <= part <= "~" else "?" for part in letters)


def blank(size: tuple[int, int], grey: int) -> Any:
    """Return a picture of one grey; `size` is width and height in pixels."""
    return library("PIL.Image").new("L", size, grey)


def library(name: str) -> Any:
    """Import a module of numpy or Pillow; raises :class:`ConfigurationError` if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"Pictures: numpy and Pillow are needed, and {name.split('.')[0]} cannot be imported "
            f"({error}): pip install 'qatrack-aria[pictures]' into QATrack+'s Python environment."
        ) from error


def require_libraries() -> None:
    """Check that pictures can be drawn; raises as :func:`library` does."""
    for name in ("numpy", "PIL"):
        library(name)
