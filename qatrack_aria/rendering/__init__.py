"""Pictures of RT Images for people: single ones, and all of a set on one contact sheet.

They are for seeing at a glance whether these are the right images; nobody should measure in them.
More radiation is brighter: so pylinac draws it, whose pictures stand beside ours in a report, and
so does a plain viewer with a portal imager's usual sign (1, MONOCHROME2). ``inverted`` gives the
look of film. numpy and Pillow are imported when a picture is drawn: the rest of the app does
without them.
"""

from __future__ import annotations

from qatrack_aria.rendering.contact_sheet import draw_contact_sheet, draw_thumbnail
from qatrack_aria.rendering.image import NoPictureError, as_png, draw_image

__all__ = ["NoPictureError", "as_png", "draw_contact_sheet", "draw_image", "draw_thumbnail"]
