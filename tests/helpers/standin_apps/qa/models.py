"""As much of QATrack+'s sessions as this app has to do with, under QATrack+'s names.

Units and test lists are numbers here; QATrack+ has tables for them.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class UnitTestCollection(models.Model):
    """A test list that is assigned to a unit."""

    unit_id = models.IntegerField()

    class Meta:
        app_label = "qa"


class TestListInstance(models.Model):
    """A saved session."""

    unit_test_collection = models.ForeignKey(UnitTestCollection, on_delete=models.CASCADE)
    test_list_id = models.IntegerField()
    work_started = models.DateTimeField()
    work_completed = models.DateTimeField()
    in_progress = models.BooleanField(default=False)
    # Whoever performs a list by the REST API may give it a key; no two sessions have the same.
    user_key = models.CharField(max_length=255, unique=True, null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, db_constraint=False
    )

    class Meta:
        app_label = "qa"


class TestInstance(models.Model):
    """What was saved for one test of a session."""

    slug = models.CharField(max_length=50)
    test_list_instance = models.ForeignKey(TestListInstance, on_delete=models.CASCADE)

    class Meta:
        app_label = "qa"
