"""Pictures of RT Images: single ones, and all of a set on one contact sheet.

They show at a glance whether these are the right images; they are not for measurements. More
radiation is brighter, as in pylinac, whose pictures are beside ours in a report, and in a viewer
that follows the usual sign of a portal imager (1, MONOCHROME2). ``inverted`` looks like film. numpy
and Pillow are imported when a picture is drawn: the rest of the app does not need them.
"""

from __future__ import annotations

from qatrack_aria.rendering.contact_sheet import draw_contact_sheet, draw_thumbnail
from qatrack_aria.rendering.image import NoPictureError, as_png, draw_image

__all__ = ["NoPictureError", "as_png", "draw_contact_sheet", "draw_image", "draw_thumbnail"]
