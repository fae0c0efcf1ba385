"""The configuration of nodes, and the record of every retrieval."""

from __future__ import annotations

import difflib
import re
from fnmatch import translate
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import Error, models, transaction
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from qatrack_aria.dicom import character_sets
from qatrack_aria.dicom.peer import C_MOVE, PATIENT_ROOT, STUDY_ROOT, Peer, Tls
from qatrack_aria.dicom.transports import TRANSPORTS
from qatrack_aria.errors import (
    ConfigurationError,
    InactiveNodeError,
    Outcome,
    PatientNotAllowedError,
    RequestError,
    UnknownNodeError,
)
from qatrack_aria.text import short_repr
from qatrack_aria.validators import (
    CLOCK,
    PORT,
    SECONDS,
    lines,
    validate_ae_title,
    validate_full_path,
    validate_host,
    validate_hosts,
    validate_name,
)

# --- nodes ------------------------------------------------------------------------------------


class AriaNodeManager(models.Manager):
    """Finds nodes by what people write."""

    def named(self, name: str | None = None) -> AriaNode:
        """The active node of that name, or the default one where no name is given.

        Raises
        ------
        UnknownNodeError
            There is none; near names are offered.
        InactiveNodeError
            It is switched off.
        """
        try:
            node = self._default() if name is None else self._called(name)
        except Error as error:
            raise ConfigurationError(
                f"Node: the nodes cannot be read from the database ({type(error).__name__}): run "
                "'manage.py migrate qatrack_aria', or see what failed before in the same request. "
                "Nothing was sent."
            ) from error
        node.require_active()
        return node

    def get_by_natural_key(self, name: str) -> AriaNode:
        """For fixtures that name a node."""
        return self.get(name=name)

    def _default(self) -> AriaNode:
        node = self.filter(is_active=True, is_default=True).first()
        if node is None:
            raise UnknownNodeError(
                "Node: none was named and none is the default: name one, or tick 'is default' for "
                "one in the admin under ARIA nodes. Nothing was sent."
            )
        return node

    def _called(self, name: Any) -> AriaNode:
        # What no name can be need not be looked up; databases refuse some of it (NUL).
        possible = isinstance(name, str) and name.isprintable() and len(name) < 200
        node = self.filter(name=name).first() if possible else None
        if node is None:
            raise UnknownNodeError(self._unknown(short_repr(name)))
        return node

    def _unknown(self, name: str) -> str:
        names = list(self.filter(is_active=True).values_list("name", flat=True)[:100])
        folded = {known.lower(): known for known in names}
        near = difflib.get_close_matches(name.strip("'").lower(), folded, n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(f"'{folded[key]}'" for key in near) + "?"
        elif names:
            hint = "there are " + ", ".join(f"'{known}'" for known in names[:10]) + "."
        else:
            hint = "none is configured; add one in the admin under ARIA nodes."
        return f"Node: there is no node {name}: {hint} Nothing was sent."


class AriaNode(models.Model):
    """One DICOM query/retrieve service, and how it is to be used."""

    name = models.CharField(
        _("name"),
        max_length=50,
        unique=True,
        validators=[validate_name],
        help_text=_("The name that tests and commands use for this node, such as aria."),
    )
    is_active = models.BooleanField(
        _("is active"), default=True, help_text=_("Untick to stop all retrievals.")
    )
    is_default = models.BooleanField(
        _("is default"),
        default=False,
        help_text=_("Used where no node is named; only one node can be the default."),
    )

    remote_ae_title = models.CharField(
        _("remote AE title"),
        max_length=16,
        validators=[validate_ae_title],
        help_text=_("AE title of the service, as in ARIA's DICOM Services Configuration."),
    )
    remote_host = models.CharField(
        _("remote host"),
        max_length=253,
        validators=[validate_host],
        help_text=_("Name, IPv4 or IPv6 address of the machine that runs the service."),
    )
    remote_port = models.PositiveIntegerField(
        _("remote port"), validators=PORT, help_text=_("Port of the service, 1 to 65535.")
    )
    extra_hosts = models.TextField(
        _("extra hosts"),
        blank=True,
        validators=[validate_hosts],
        help_text=_(
            "Other machines that may send images of the service to us, one a line; usually none."
        ),
    )

    local_ae_title = models.CharField(
        _("local AE title"),
        max_length=16,
        validators=[validate_ae_title],
        help_text=_(
            "Our AE title. ARIA must list it as a trusted application entity, with the address of "
            "this machine and the port below."
        ),
    )
    local_host = models.CharField(
        _("local host"),
        max_length=253,
        blank=True,
        validators=[validate_host],
        help_text=_("Address of this machine to listen on; empty for all of its IPv4 addresses."),
    )
    local_port = models.PositiveIntegerField(
        _("local port"),
        default=11112,
        validators=PORT,
        help_text=_("Port that images are sent to (C-MOVE only)."),
    )

    retrieve_method = models.CharField(
        _("retrieve method"),
        max_length=6,
        choices=[(name, name) for name in TRANSPORTS],
        default=C_MOVE,
        help_text=_("C-MOVE for ARIA. C-GET needs no port of ours, if the service supports it."),
    )
    query_model = models.CharField(
        _("query model"),
        max_length=7,
        choices=[(STUDY_ROOT, "Study Root"), (PATIENT_ROOT, "Patient Root")],
        default=STUDY_ROOT,
        help_text=_("Study Root for ARIA; Patient Root for servers that have no other."),
    )
    allowed_patients = models.TextField(
        _("allowed patients"),
        blank=True,
        help_text=_(
            "IDs of the patients that may be fetched, one pattern a line; * stands for any "
            "characters, ? for one. Empty allows none: any user of QATrack+ can send requests."
        ),
    )

    use_tls = models.BooleanField(
        _("TLS"),
        default=False,
        help_text=_(
            "Encrypt both directions, and let both sides verify each other. The service must do "
            "the same on the port above."
        ),
    )
    tls_ca_file = models.CharField(
        _("TLS CA certificates"),
        max_length=500,
        blank=True,
        validators=[validate_full_path],
        help_text=_(
            "Full path of the CA certificates used to verify the service (PEM); empty for those "
            "of this machine."
        ),
    )
    tls_certificate_file = models.CharField(
        _("TLS certificate"),
        max_length=500,
        blank=True,
        validators=[validate_full_path],
        help_text=_("Full path of our certificate (PEM). Required for C-MOVE."),
    )
    tls_key_file = models.CharField(
        _("TLS key"),
        max_length=500,
        blank=True,
        validators=[validate_full_path],
        help_text=_(
            "Full path of the key of our certificate, without a password; empty if it is in the "
            "same file."
        ),
    )
    tls_check_host = models.BooleanField(
        _("TLS host check"),
        default=True,
        help_text=_("The certificate of the service must name the remote host as given above."),
    )
    character_set = models.CharField(
        _("character set"),
        max_length=64,
        choices=character_sets.CHOICES,
        default="ISO_IR 192",
        help_text=_(
            "Of patient IDs and plan labels in our queries, and of answers that do not name theirs."
            " Unaccented letters are the same in all."
        ),
    )

    stable_answers = models.PositiveSmallIntegerField(
        _("stable answers"),
        default=1,
        validators=[MaxValueValidator(10)],
        help_text=_(
            "How often the list of images must be the same again while the newest image is younger "
            "than ten minutes: the session may still be running. Not used if count= is met."
        ),
    )

    connect_timeout = models.FloatField(
        _("connect timeout"),
        default=5,
        validators=SECONDS,
        help_text=_("Seconds to wait for a connection."),
    )
    response_timeout = models.FloatField(
        _("response timeout"),
        default=100,
        validators=SECONDS,
        help_text=_("Seconds to wait for the answer to a query."),
    )
    quiet_timeout = models.FloatField(
        _("quiet timeout"),
        default=60,
        validators=SECONDS,
        help_text=_("Seconds to wait for the next image."),
    )
    grace = models.FloatField(
        _("grace period"),
        default=5,
        validators=SECONDS,
        help_text=_(
            "Seconds in which images may still arrive after the service has reported the end."
        ),
    )
    deadline = models.FloatField(
        _("deadline"),
        default=25,
        validators=SECONDS,
        help_text=_(
            "Seconds that a composite test may take in total; web servers end a request after 30."
        ),
    )
    clock_ahead = models.FloatField(
        _("clock ahead"),
        default=0,
        validators=CLOCK,
        help_text=_(
            "Seconds by which the clocks of the imagers may be ahead of QATrack+'s: images of a "
            "session may then appear to be newer than its end."
        ),
    )
    command_deadline = models.FloatField(
        _("command deadline"),
        default=300,
        validators=SECONDS,
        help_text=_("Seconds that fetch_aria may take in total."),
    )
    notes = models.TextField(
        _("notes"), blank=True, help_text=_("Who runs the service, whom to call.")
    )

    objects = AriaNodeManager()

    class Meta:
        verbose_name = _("ARIA node")
        verbose_name_plural = _("ARIA nodes")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> Any:
        """For fixtures."""
        return (self.name,)

    def clean(self) -> None:
        """Check what no field can know alone."""
        if not self.is_active and self.is_default:
            raise ValidationError(
                {"is_default": "A node that is switched off cannot be the default."}
            )
        self._require_certificate()
        if self.use_tls:
            from qatrack_aria.dicom import tls

            try:
                tls.client_context(self._tls())
            except ConfigurationError as error:
                raise ValidationError({"use_tls": str(error)}) from error

    def _require_certificate(self) -> None:
        if not self.use_tls or self.tls_certificate_file:
            return
        if TRANSPORTS[self.retrieve_method].uses_port:
            raise ValidationError(
                {"tls_certificate_file": ["With C-MOVE the service calls us: it wants to see one."]}
            )

    def _tls(self) -> Tls:
        return Tls(
            self.tls_ca_file, self.tls_certificate_file, self.tls_key_file, self.tls_check_host
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new default takes the place of the old one."""
        with transaction.atomic():
            if self.is_default:
                AriaNode.objects.exclude(pk=self.pk).filter(is_default=True).update(
                    is_default=False
                )
            super().save(*args, **kwargs)

    def require_active(self) -> None:
        """Make sure that the node may be called; raises :class:`InactiveNodeError`."""
        if not self.is_active:
            raise InactiveNodeError(
                f"Node: '{self.name}' is switched off: tick 'is active' in the admin under ARIA "
                "nodes, or name another node. Nothing was sent."
            )

    def require_writable(self, what: str, value: str) -> None:
        """Make sure that the node's character set has all letters of what is to be asked for.

        Raises
        ------
        RequestError
            It has not; `what` is what the message calls the value.
        """
        if not character_sets.can_encode(value, self.character_set):
            raise RequestError(
                f"Character set: the {what} '{value}' cannot be written in {self.character_set}, "
                f"the character set of node '{self.name}': correct it, or choose another set in "
                "the admin. Nothing was sent."
            )

    def require_allowed(self, patient_id: str) -> None:
        """Make sure that this patient's images may be fetched.

        Raises
        ------
        PatientNotAllowedError
            No pattern of the node matches.
        """
        patterns = lines(self.allowed_patients)
        if not any(_matches(pattern, patient_id) for pattern in patterns):
            listed = ", ".join(patterns[:5]) if patterns else "none yet"
            raise PatientNotAllowedError(
                f"Patient: '{patient_id}' is not among the patients of node '{self.name}' "
                f"(allowed: {listed}): correct the ID, or add it in the admin under ARIA nodes. "
                "Nothing was sent."
            )

    def peer(self) -> Peer:
        """The node as the DICOM floor takes it.

        Raises
        ------
        ConfigurationError
            A value that the admin would not have let pass.
        """
        try:
            self.clean_fields()
            self._require_certificate()
        except ValidationError as error:
            wrong = "; ".join(f"{field}: {' '.join(m)}" for field, m in error.message_dict.items())
            raise ConfigurationError(
                f"Node: '{self.name}' is not set up right ({wrong}): correct it in the admin under "
                "ARIA nodes. Nothing was sent."
            ) from error
        return Peer(
            name=self.name,
            remote_ae_title=self.remote_ae_title,
            remote_host=self.remote_host,
            remote_port=self.remote_port,
            local_ae_title=self.local_ae_title,
            local_host=self.local_host,
            local_port=self.local_port,
            retrieve_method=self.retrieve_method,
            query_model=self.query_model,
            extra_hosts=tuple(lines(self.extra_hosts)),
            tls=self._tls() if self.use_tls else None,
            character_set=self.character_set,
            stable_answers=self.stable_answers,
            connect_timeout=self.connect_timeout,
            response_timeout=self.response_timeout,
            quiet_timeout=self.quiet_timeout,
            grace=self.grace,
        )


def _matches(pattern: str, patient_id: str) -> bool:
    # Only * and ? are special; fnmatch would take [ ] too.
    return re.match(translate(pattern.replace("[", "[[]")), patient_id) is not None


# --- retrievals -------------------------------------------------------------------------------


class Retrieval(models.Model):
    """One attempt to fetch images: what was asked, by whom, and what came of it."""

    COMPOSITE = "composite"
    COMMAND = "command"
    ADMIN = "admin"
    #: Sources, as people call them; translated when they are shown.
    SOURCES = {
        COMPOSITE: gettext_noop("composite test"),
        COMMAND: gettext_noop("command"),
        ADMIN: gettext_noop("admin"),
    }

    started = models.DateTimeField(_("started"), db_index=True)
    # The name stays when the node is renamed or removed.
    node = models.ForeignKey(
        AriaNode, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=_("node")
    )
    node_name = models.CharField(_("node name"), max_length=80, blank=True)
    # Codes without choices: another source or outcome is no migration.
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
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    folder = models.CharField(
        _("folder"), max_length=500, blank=True, help_text=_("Folder of the image set.")
    )
    timeline = models.TextField(
        _("timeline"), default="{}", help_text=_("The steps and what came of them (JSON).")
    )

    class Meta:
        verbose_name = _("retrieval")
        verbose_name_plural = _("retrievals")
        ordering = ("-started", "-pk")

    def __str__(self) -> str:
        return f"{self.patient_id} / {self.plan} from {self.node_name}: {self.status_label}"

    @property
    def status_label(self) -> str:
        """The outcome, for people; the code of one that this version does not know."""
        try:
            return gettext(Outcome.of(self.status).label)
        except KeyError:
            return self.status

    @property
    def source_label(self) -> str:
        """The source, for people."""
        return gettext(self.SOURCES.get(self.source, self.source))
