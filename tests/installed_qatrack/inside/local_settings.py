"""The ``local_settings.py`` of the trial, as an administrator would write it.

It stands in for the installed one: nothing of that site's database, media or archive is touched.
"""

from __future__ import annotations

import os

from qatrack.settings import INSTALLED_APPS

_FOLDER = os.environ["QATRACK_TRIAL"]

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
TIME_ZONE = "America/Toronto"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(_FOLDER, "default.db"),
        # Two processes write to it.
        "OPTIONS": {"timeout": 30},
    }
}
USE_SQL_REPORTS = False

# QATrack+ derives its other paths from these two after it has read this file.
MEDIA_ROOT = os.path.join(_FOLDER, "media")
LOG_ROOT = os.path.join(_FOLDER, "logs")

# Logging a user in must not cost the time a safe password hash takes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Django refuses more than 2.5 MB by itself; this app must be able to stand more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 50_000_000

# This archive is meant to be gone when the tests are over.
SILENCED_SYSTEM_CHECKS = ["qatrack_aria.W002"]

INSTALLED_APPS += ["qatrack_aria"]
QATRACK_ARIA_ARCHIVE = os.path.join(_FOLDER, "archive")

# What QATrack+ sends by e-mail is looked at, in the process that sends it.
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
EMAIL_FAIL_SILENTLY = False
