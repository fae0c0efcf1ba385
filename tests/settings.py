"""Django settings for the tests: SQLite, or the database QATRACK_ARIA_TEST_DATABASE_URL names.

DEFAULT_AUTO_FIELD is left out on purpose: the app must make the same tables whatever a site,
or a Django version, has for a default.
"""

from __future__ import annotations

from pathlib import Path

import environ

env = environ.Env()

SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "qatrack_aria",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"

DATABASES = {"default": env.db("QATRACK_ARIA_TEST_DATABASE_URL", default="sqlite://:memory:")}

# No test writes there: each that needs an archive has one of its own.
QATRACK_ARIA_ARCHIVE = str(Path(__file__).resolve().parent.parent / "build" / "archive")

USE_TZ = True
TIME_ZONE = "America/Toronto"

# Logging a user in must not cost the time a safe password hash takes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Django 6.1 and later; before, the tests' own backend is chosen by another setting.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
