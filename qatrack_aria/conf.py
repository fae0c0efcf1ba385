"""The settings, read when they are needed, so that later changes count.

Each is looked up as ``QATRACK_ARIA_<NAME>`` in Django's settings, then in the environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.conf import settings

from qatrack_aria.errors import ConfigurationError

PREFIX = "QATRACK_ARIA_"


class Settings:
    """Typed access to this app's settings."""

    @property
    def ARCHIVE(self) -> Path:
        """Folder of the received images; default: ``aria-archive`` beside QATrack+'s own data.

        Never inside ``MEDIA_ROOT`` or ``STATIC_ROOT``, which the web server publishes.
        """
        given = self._get("ARCHIVE", environ.Env.str)
        if given:
            # Unlike Path.expanduser, this leaves an unknown home unchanged, and so a relative path.
            path = Path(os.path.expanduser(str(given)))
            if not path.is_absolute():
                raise ConfigurationError(
                    f"{PREFIX}ARCHIVE is '{given}', a relative path, which is another folder "
                    "for the web server than for the command line: give the full path."
                )
        else:
            path = self._data_root() / "aria-archive"
        for name in ("MEDIA_ROOT", "STATIC_ROOT"):
            if _lies_in(path, getattr(settings, name, None)):
                raise ConfigurationError(
                    f"{PREFIX}ARCHIVE is {path}, inside {name}, which the web server "
                    "publishes: choose a folder outside of it."
                )
        return path

    @property
    def SERVER_TIMEOUT(self) -> float:
        """Seconds after which the web server ends a request; gunicorn's default."""
        given = self._get("SERVER_TIMEOUT", environ.Env.float)
        seconds = 30.0 if given is None else given
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise ConfigurationError(
                f"{PREFIX}SERVER_TIMEOUT is {seconds!r}: give the seconds after which the web "
                "server ends a request."
            )
        return float(seconds)

    @property
    def KEEP_SETS_DAYS(self) -> int:
        """Age in days after which the folder of an image set may be removed."""
        given = self._get("KEEP_SETS_DAYS", environ.Env.int)
        days = 7 if given is None else given
        if isinstance(days, bool) or not isinstance(days, int) or days < 1:
            raise ConfigurationError(
                f"{PREFIX}KEEP_SETS_DAYS is {days!r}: give a whole number of days, 1 or more."
            )
        return days

    @staticmethod
    def _get(name: str, cast: Any) -> Any:
        value = getattr(settings, PREFIX + name, None)
        if value is not None:
            return value
        env = environ.Env()
        try:
            return cast(env, PREFIX + name, default=None)
        except ValueError as error:
            raise ConfigurationError(
                f"The environment variable {PREFIX}{name} cannot be read: {error}."
            ) from error

    @staticmethod
    def _data_root() -> Path:
        # QATrack+ keeps logs/ and db/ beside PROJECT_ROOT (its package); newer Django projects
        # call the folder of the project BASE_DIR.
        project = getattr(settings, "PROJECT_ROOT", None)
        if project:
            return Path(str(project)).resolve().parent
        base = getattr(settings, "BASE_DIR", None)
        if base:
            return Path(str(base)).resolve()
        raise ConfigurationError(
            f"There is no default folder for the archive: set {PREFIX}ARCHIVE to the full "
            "path of a folder, in local_settings.py or in the environment."
        )


def _lies_in(path: Path, folder: Any) -> bool:
    """Return whether `path` lies in `folder`, as they are written or after links are resolved."""
    if not folder:
        return False
    return any(
        Path(at(folder)) in (Path(at(path)), *Path(at(path)).parents)
        for at in (os.path.abspath, os.path.realpath)
    )


conf = Settings()
