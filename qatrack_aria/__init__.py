"""Fetch RT Images from Varian ARIA, complete and verified, in QATrack+ composite tests.

Importing this package is cheap: neither pynetdicom nor Django is imported before
:func:`fetch_images` is first used. So ``INSTALLED_APPS`` may name it without slowing the start of
QATrack+.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers recognize the name; importing typing takes 10 ms

if TYPE_CHECKING:
    from typing import Any

    from qatrack_aria.composite import fetch_images as fetch_images
    from qatrack_aria.composite import fetch_series as fetch_series
    from qatrack_aria.composite import fetch_status as fetch_status
    from qatrack_aria.composite import images_from as images_from

__version__ = "0.2.0"

__all__ = ["fetch_images", "fetch_series", "fetch_status", "images_from"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from qatrack_aria import composite

        return getattr(composite, name)
    if name == "default_app_config":
        # Django before 3.2 does not find the AppConfig by itself; later ones warn about the name.
        import django

        if django.VERSION < (3, 2):
            return "qatrack_aria.apps.QatrackAriaConfig"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
