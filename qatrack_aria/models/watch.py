"""The watches: images that are looked for unattended, and the test list that they are for."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from qatrack_aria.models.node import AriaNode
from qatrack_aria.models.retrieval import Retrieval
from qatrack_aria.validators import lines, validate_addresses, validate_one_line

_Optional = partial(models.CharField, max_length=64, blank=True)


class Watch(models.Model):
    """Images of one plan that are looked for again and again, and what is done with them."""

    name = models.CharField(
        _("name"),
        max_length=80,
        unique=True,
        validators=[validate_one_line],
        help_text=_("For people, such as the list and the unit: WL monthly, TB1."),
    )
    is_active = models.BooleanField(
        _("is active"), default=True, help_text=_("Untick to stop looking.")
    )

    node = models.ForeignKey(AriaNode, on_delete=models.CASCADE, verbose_name=_("node"))
    patient_id = models.CharField(_("patient ID"), max_length=64)
    plan = models.CharField(
        _("plan"), max_length=64, help_text=_("RT Plan Label, or the UID of the plan.")
    )
    image_type = models.CharField(
        _("image type"),
        max_length=200,
        default="portal",
        help_text=_(r"portal, portal_dose, or a full one like ORIGINAL\PRIMARY\PORTAL."),
    )
    count = models.CharField(
        _("images expected"),
        max_length=20,
        blank=True,
        help_text=_("With fewer images nothing is performed; 8-8 also if there are more."),
    )
    machine = _Optional(_("machine"), help_text=_("Only images of this machine."))
    course = _Optional(_("course"), help_text=_("Where several plans have the label."))
    select = models.CharField(
        _("select"),
        max_length=7,
        blank=True,
        choices=[("session", _("the session")), ("series", _("its newest series"))],
        help_text=_("Which images, where a session is not one series."),
    )
    kv = models.CharField(
        _("kV images"),
        max_length=4,
        blank=True,
        choices=[("", _("without")), ("True", _("kV images too")), ("only", _("only kV images"))],
    )

    minutes = models.PositiveSmallIntegerField(
        _("look every"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(1440)],
        help_text=_("Minutes between two looks."),
    )
    begins = models.TimeField(
        _("from"), null=True, blank=True, help_text=_("Empty to look at any time of day.")
    )
    ends = models.TimeField(
        _("until"), null=True, blank=True, help_text=_("Before the time above: until the next day.")
    )
    since = models.DateTimeField(
        _("since"),
        default=timezone.now,
        help_text=_("Nothing is performed with images that were acquired before."),
    )

    # By their keys: the app also works without QATrack+.
    collection = models.PositiveIntegerField(
        _("test list"),
        null=True,
        blank=True,
        help_text=_("What is performed; empty to have the images ready, and no more."),
    )
    day = models.PositiveSmallIntegerField(
        _("day of the cycle"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Of a test list cycle: 1 for the first; empty for the one that is next."),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        verbose_name=_("user"),
        help_text=_("Whose work it is; the user must be allowed to perform the list."),
    )
    patient_test = models.SlugField(
        _("test of the patient ID"),
        default="patientid",
        help_text=_("Macro name of the test that the patient ID is entered in."),
    )
    plan_test = models.SlugField(
        _("test of the plan"),
        default="rtplanname",
        help_text=_("Macro name of the test that the plan is entered in."),
    )
    status = models.PositiveIntegerField(
        _("status"),
        null=True,
        blank=True,
        help_text=_("Of the tests; empty for the default, and for what auto review says."),
    )
    in_progress = models.BooleanField(
        _("leave in progress"),
        default=False,
        help_text=_("If the list has tests that need a person, for one to complete it."),
    )
    mail_to = models.TextField(
        _("e-mail to"),
        blank=True,
        validators=[validate_addresses],
        help_text=_("Who is told that a list could not be performed: addresses, one per line."),
    )

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def options(self) -> dict[str, Any]:
        """The options of a request that are set, as ``fetch_images`` takes them."""
        options: dict[str, Any] = {
            "count": self.count,
            "machine": self.machine,
            "course": self.course,
            "select": self.select,
            "kv": {"True": True}.get(self.kv, self.kv),
        }
        return {name: value for name, value in options.items() if value}

    @property
    def addresses(self) -> list[str]:
        """Who is told what could not be performed."""
        return lines(self.mail_to)

    def looks_at(self, now: dt.time) -> bool:
        """Return whether it looks at that time of day, by the clocks of the clinic."""
        begin, end = self.begins or dt.time.min, self.ends or dt.time.max
        return begin <= now <= end if begin <= end else now >= begin or now <= end


class WatchState(models.Model):
    """What the last looks of a watch came to.

    Apart from the watch, which an administrator may be saving meanwhile.
    """

    watch = models.OneToOneField(Watch, on_delete=models.CASCADE, related_name="state")
    looked = models.DateTimeField(_("last look"), null=True)
    succeeded = models.DateTimeField(_("last look that succeeded"), null=True)
    failures = models.PositiveIntegerField(_("failures since"), default=0)
    message = models.TextField(_("message"), blank=True)
    counts = models.TextField(_("counts of the node"), default="{}")

    class Meta:
        verbose_name = _("state of a watch")
        verbose_name_plural = _("states of watches")


class WatchedSession(models.Model):
    """One acquisition session that a watch has seen, and what became of it."""

    WAITING = "waiting"
    READY = "ready"
    PERFORMED = "performed"
    BY_PERSON = "by_person"
    LEFT = "left"
    #: Labels of the states; translated when they are shown.
    STATES = {
        WAITING: gettext_noop("not performed yet"),
        READY: gettext_noop("images are ready"),
        PERFORMED: gettext_noop("performed"),
        BY_PERSON: gettext_noop("performed by a person"),
        LEFT: gettext_noop("left for a person"),
    }

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="sessions")
    first = models.DateTimeField(_("first image"), db_index=True)
    last = models.DateTimeField(_("last image"), db_index=True)
    images = models.PositiveIntegerField(_("images"), default=0)
    listed = models.CharField(_("digest of the list"), max_length=64, blank=True)
    key = models.CharField(_("key"), max_length=64, blank=True, db_index=True)
    retrieval = models.ForeignKey(
        Retrieval, null=True, on_delete=models.SET_NULL, verbose_name=_("retrieval")
    )

    state = models.CharField(_("state"), max_length=12, default=WAITING, db_index=True)
    message = models.TextField(_("message"), blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    found = models.DateTimeField(_("found"), default=timezone.now)
    tried = models.DateTimeField(_("last attempt"), null=True)
    retry = models.DateTimeField(_("next attempt"), null=True)
    performed = models.DateTimeField(_("performed at"), null=True)
    performed_as = models.PositiveIntegerField(_("session in QATrack+"), null=True)

    class Meta:
        verbose_name = _("watched session")
        verbose_name_plural = _("watched sessions")
        ordering = ("-first", "-pk")

    def __str__(self) -> str:
        return f"{self.watch}: {timezone.localtime(self.first):%Y-%m-%d %H:%M}"

    @property
    def state_label(self) -> str:
        """The label of the state, or its code if this version does not know it."""
        return gettext(self.STATES.get(self.state, self.state))

    @property
    def is_open(self) -> bool:
        """Whether it is still tried."""
        return self.state == self.WAITING
