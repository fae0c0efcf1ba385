"""What importing costs, and what the package offers: changing that is a deliberate act."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import django
import pytest
from django.apps import apps

import qatrack_aria
from tests import ROOT

SETUP = "import django; django.setup(); "
LOADED = "\nimport sys; print(*(m for m in {modules!r} if m in sys.modules))"
DICOM = ["pynetdicom", "pydicom"]


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    run = subprocess.run(
        # Warnings of Django's own on a newer Python are not what is tested.
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout.strip()


def loaded(code: str, modules: list[str]) -> list[str]:
    """Those of the modules that the code brings in."""
    return python(code + LOADED.format(modules=modules)).split()


# --- what it costs ----------------------------------------------------------------------------


def test_importing_the_package_imports_neither_django_nor_dicom() -> None:
    assert loaded("import qatrack_aria", ["django", *DICOM]) == []


def test_asking_for_the_version_imports_neither_django_nor_dicom() -> None:
    assert loaded("import qatrack_aria; qatrack_aria.__version__", ["django", *DICOM]) == []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="start"),
        pytest.param("import tests.urls", id="urls"),
        pytest.param("from django.contrib import admin; admin.autodiscover()", id="admin"),
        pytest.param("import qatrack_aria.models", id="models"),
        pytest.param(
            "from django.core.management import load_command_class as load;"
            "load('qatrack_aria', 'fetch_aria').create_parser('manage.py', 'fetch_aria')",
            id="fetch_aria --help",
        ),
    ],
)
def test_qatrack_starts_without_dicom(code: str) -> None:
    """Each of its processes would pay for it."""
    assert loaded(SETUP + code, DICOM) == []


def test_the_dicom_floor_needs_no_django() -> None:
    modules = sorted((ROOT / "qatrack_aria" / "dicom").glob("*.py"))
    names = [f"qatrack_aria.dicom.{path.stem}" for path in modules if path.stem != "__init__"]

    assert len(names) > 3
    assert loaded(f"import {', '.join(names)}", ["django"]) == []


def test_the_simulator_needs_no_django() -> None:
    assert loaded("import qatrack_aria.simulator", ["django"]) == []


# --- what it offers ---------------------------------------------------------------------------


def test_the_package_offers_these_names() -> None:
    assert qatrack_aria.__all__ == ["fetch_images", "fetch_series", "fetch_status", "images_from"]


def test_a_star_import_brings_those_names_only() -> None:
    code = SETUP + "names = set(dir()); from qatrack_aria import *; print(*(set(dir()) - names))"

    assert set(python(code).split()) == {*qatrack_aria.__all__, "names"}


def test_fetch_images_can_be_imported_on_one_line() -> None:
    code = "from qatrack_aria import fetch_images; print(fetch_images.__module__)"

    assert python(SETUP + code) == "qatrack_aria.composite"


def test_composite_tests_can_call_it_as_they_always_could() -> None:
    """Names and order may grow at the end: procedures in QATrack+'s database depend on them."""
    parameters = inspect.signature(qatrack_aria.fetch_images).parameters
    by_position = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = {p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY}

    assert by_position == ["node", "patient_id", "plan", "image_type"]
    assert by_name >= {
        "utils",
        "date",
        "count",
        "machine",
        "course",
        "select",
        "kv",
        "deadline",
    }
    assert parameters["image_type"].default == "portal"


@pytest.mark.parametrize("name", ["fetch_image", "Request", "models_", "__path"])
def test_a_name_that_is_not_offered_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'qatrack_aria' has no attribute '{name}'"):
        getattr(qatrack_aria, name)


# --- how Django finds it ----------------------------------------------------------------------


def test_the_bare_name_in_installed_apps_is_enough() -> None:
    """In Django 2.2, too, which looks for ``default_app_config``."""
    config = apps.get_app_config("qatrack_aria")

    assert type(config).__name__ == "QatrackAriaConfig"
    assert config.verbose_name == "ARIA images"


def test_newer_django_is_not_shown_the_name_it_warns_of() -> None:
    assert hasattr(qatrack_aria, "default_app_config") is (django.VERSION < (3, 2))
