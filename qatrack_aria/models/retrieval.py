"""The record of every retrieval."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from qatrack_aria.errors import Outcome
from qatrack_aria.models.node import AriaNode


class Retrieval(models.Model):
    """One attempt to fetch images: the request, its origin, and the outcome."""

    COMPOSITE = "composite"
    COMMAND = "command"
    ADMIN = "admin"
    WATCH = "watch"
    #: Labels of the sources; translated when they are shown.
    SOURCES = {
        COMPOSITE: gettext_noop("composite test"),
        COMMAND: gettext_noop("command"),
        ADMIN: gettext_noop("admin"),
        WATCH: gettext_noop("watch"),
    }

    started = models.DateTimeField(_("started"), db_index=True)
    # The name stays when the node is renamed or removed.
    node = models.ForeignKey(
        AriaNode, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=_("node")
    )
    node_name = models.CharField(_("node name"), max_length=80, blank=True)
    # Codes without choices, so that a new source or outcome needs no migration.
    source = models.CharField(_("source"), max_length=10)
    user = models.CharField(_("user"), max_length=150, blank=True)
    unit = models.CharField(_("unit"), max_length=150, blank=True)
    test_list = models.CharField(_("test list"), max_length=150, blank=True)
    patient_id = models.CharField(_("patient ID"), max_length=80, blank=True)
    plan = models.CharField(_("plan"), max_length=80, blank=True)
    request = models.TextField(_("request"), default="{}", help_text=_("The request (JSON)."))

    status = models.CharField(_("status"), max_length=12, db_index=True)
    message = models.TextField(_("message"), blank=True)
    found = models.PositiveIntegerField(
        _("found"), default=0, help_text=_("Images that match the request.")
    )
    already_here = models.PositiveIntegerField(
        _("already here"), default=0, help_text=_("Matching images that were in the archive.")
    )
    moved = models.PositiveIntegerField(
        _("moved"), default=0, help_text=_("Matching images that were retrieved.")
    )
    refused = models.PositiveIntegerField(
        _("rejected"), default=0, help_text=_("Instances and connections that our port rejected.")
    )
    bytes = models.BigIntegerField(_("bytes"), default=0, help_text=_("Bytes received."))
    repeats = models.PositiveIntegerField(
        _("repeats"),
        default=0,
        help_text=_("How often the same request was repeated and answered from disk."),
    )
    times = models.PositiveIntegerField(
        _("times"),
        default=1,
        help_text=_("How many calls were refused alike within a minute; they share this row."),
    )
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    folder = models.CharField(
        _("folder"), max_length=500, blank=True, help_text=_("Folder of the image set.")
    )
    timeline = models.TextField(
        _("timeline"), default="{}", help_text=_("The steps and their results (JSON).")
    )

    class Meta:
        verbose_name = _("retrieval")
        verbose_name_plural = _("retrievals")
        ordering = ("-started", "-pk")

    def __str__(self) -> str:
        return f"{self.patient_id} / {self.plan} from {self.node_name}: {self.status_label}"

    @property
    def status_label(self) -> str:
        """The label of the outcome, or its code if this version does not know it."""
        try:
            return gettext(Outcome.of(self.status).label)
        except KeyError:
            return self.status

    @property
    def source_label(self) -> str:
        """The label of the source."""
        return gettext(self.SOURCES.get(self.source, self.source))
