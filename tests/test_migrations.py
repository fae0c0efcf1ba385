"""The tables: made, unmade, and the same whatever the version of Django."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import sys
from typing import Iterator

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests import ROOT

STARTED = dt.datetime(2026, 11, 2, 7, 30, tzinfo=dt.timezone.utc)


def tables() -> set[str]:
    return {name for name in connection.introspection.table_names() if "qatrack_aria" in name}


@pytest.fixture
def _migrated_again_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.django_db
def test_the_models_have_no_changes_that_a_migration_lacks() -> None:
    call_command("makemigrations", "qatrack_aria", check=True, dry_run=True, verbosity=0)


#: The SHA-256 of each migration that a release contains: it is never edited again.
FROZEN = {
    "0001_initial.py": "16f1e1a30abe596a36a717bc20aac1b96ed094eb2823235bc7dced5258f2501e",
}


def test_a_released_migration_is_never_edited() -> None:
    folder = ROOT / "qatrack_aria" / "migrations"
    # A checkout on Windows may end its lines with CR LF.
    contents = {name: (folder / name).read_text(encoding="utf-8") for name in FROZEN}

    found = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in contents.items()}
    assert found == FROZEN, "make a new migration instead"


WITH_ANOTHER_KEY = """
import django
from django.core.management import call_command
from tests import settings

settings.DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
django.setup()
call_command("makemigrations", "qatrack_aria", check=True, dry_run=True)
"""


def test_a_sites_own_kind_of_primary_key_changes_nothing() -> None:
    """QATrack+ names none, newer projects name BigAutoField; only a start from scratch tells."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITH_ANOTHER_KEY],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout


@pytest.mark.usefixtures("_migrated_again_afterwards")
def test_migrating_back_removes_every_table() -> None:
    call_command("migrate", "qatrack_aria", "zero", verbosity=0)

    assert tables() == set()


@pytest.mark.usefixtures("_migrated_again_afterwards")
def test_migrating_back_and_forth_makes_every_table_again() -> None:
    before = tables()

    call_command("migrate", "qatrack_aria", "zero", verbosity=0)
    call_command("migrate", "qatrack_aria", verbosity=0)

    models = ("arianode", "retrieval", "watch", "watchedsession", "watchstate")
    assert tables() == before == {f"qatrack_aria_{model}" for model in models}


@pytest.mark.usefixtures("_migrated_again_afterwards")
def test_the_tables_made_by_migrating_take_a_row_each() -> None:
    call_command("migrate", "qatrack_aria", "zero", verbosity=0)
    call_command("migrate", "qatrack_aria", verbosity=0)

    call_command("loaddata", str(ROOT / "fixtures" / "example_node.json"), verbosity=0)
    node = apps.get_model("qatrack_aria", "AriaNode").objects.get()
    assert node.pk is not None


@pytest.mark.usefixtures("_migrated_again_afterwards")
def test_the_rows_of_version_0_2_0_survive_all_later_migrations() -> None:
    release = ("qatrack_aria", "0001_initial")
    executor = MigrationExecutor(connection)
    executor.migrate([release])
    models = executor.loader.project_state([release]).apps
    texts = {"remote_ae_title": "VMSDBD", "remote_host": "aria", "local_ae_title": "QATRACK"}
    node = models.get_model("qatrack_aria", "AriaNode").objects.create(
        name="aria", remote_port=51402, allowed_patients="QA_*", **texts
    )
    models.get_model("qatrack_aria", "Retrieval").objects.create(
        node=node, node_name="aria", patient_id="QA_TB1", plan="WL", status="ok", started=STARTED
    )

    call_command("migrate", "qatrack_aria", verbosity=0)

    retrieval = apps.get_model("qatrack_aria", "Retrieval").objects.get()
    assert (retrieval.patient_id, retrieval.plan, retrieval.status) == ("QA_TB1", "WL", "ok")
    assert retrieval.started == STARTED
    assert retrieval.times == 1
    kept = retrieval.node
    assert (kept.name, kept.remote_port, kept.allowed_patients) == ("aria", 51402, "QA_*")
    assert {key: getattr(kept, key) for key in texts} == texts
