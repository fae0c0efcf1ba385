"""The settings of a node, as an administrator enters them."""

from __future__ import annotations

from functools import partial

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from qatrack_aria.dicom import character_sets
from qatrack_aria.dicom.peer import C_MOVE, PATIENT_ROOT, STUDY_ROOT
from qatrack_aria.dicom.transports import TRANSPORTS
from qatrack_aria.validators import (
    CLOCK,
    PORT,
    SECONDS,
    validate_ae_title,
    validate_full_path,
    validate_host,
    validate_hosts,
    validate_name,
)

_AeTitle = partial(models.CharField, max_length=16, validators=[validate_ae_title])
_Host = partial(models.CharField, max_length=253, validators=[validate_host])
_Port = partial(models.PositiveIntegerField, validators=PORT)
_Path = partial(models.CharField, max_length=500, blank=True, validators=[validate_full_path])
_Seconds = partial(models.FloatField, validators=SECONDS)


class NodeSettings(models.Model):
    """The fields of a node."""

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

    remote_ae_title = _AeTitle(
        _("remote AE title"),
        help_text=_("AE title of the service, as in ARIA's DICOM Services Configuration."),
    )
    remote_host = _Host(
        _("remote host"),
        help_text=_("Name, IPv4 or IPv6 address of the machine that runs the service."),
    )
    remote_port = _Port(_("remote port"), help_text=_("Port of the service, 1 to 65535."))
    extra_hosts = models.TextField(
        _("extra hosts"),
        blank=True,
        validators=[validate_hosts],
        help_text=_(
            "Other hosts from which the service may send images, one per line; usually none."
        ),
    )

    local_ae_title = _AeTitle(
        _("local AE title"),
        help_text=_(
            "Our AE title. ARIA must list it as a trusted application entity, with the address of "
            "this machine and the port below."
        ),
    )
    local_host = _Host(
        _("local host"),
        blank=True,
        help_text=_("Address of this machine to listen on; empty for all of its IPv4 addresses."),
    )
    local_port = _Port(
        _("local port"), default=11112, help_text=_("Port that images are sent to (C-MOVE only).")
    )

    retrieve_method = models.CharField(
        _("retrieve method"),
        max_length=6,
        choices=[(name, name) for name in TRANSPORTS],
        default=C_MOVE,
        help_text=_("C-MOVE for ARIA. C-GET, if the service supports it, needs no local port."),
    )
    query_model = models.CharField(
        _("query model"),
        max_length=7,
        choices=[(STUDY_ROOT, "Study Root"), (PATIENT_ROOT, "Patient Root")],
        default=STUDY_ROOT,
        help_text=_("Study Root for ARIA; Patient Root for servers that support no other."),
    )
    allowed_patients = models.TextField(
        _("allowed patients"),
        blank=True,
        help_text=_(
            "Patient IDs whose images may be fetched, one pattern per line; * stands for any "
            "characters, ? for one. Empty allows none: any user of QATrack+ can send requests."
        ),
    )

    use_tls = models.BooleanField(
        _("TLS"),
        default=False,
        help_text=_(
            "Encrypt both directions and verify the certificates of both sides. The service must "
            "do the same on the port above."
        ),
    )
    tls_ca_file = _Path(
        _("TLS CA certificates"),
        help_text=_(
            "Full path of the CA certificates used to verify the service (PEM); empty for those "
            "of this machine."
        ),
    )
    tls_certificate_file = _Path(
        _("TLS certificate"),
        help_text=_("Full path of our certificate (PEM). Required for C-MOVE."),
    )
    tls_key_file = _Path(
        _("TLS key"),
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
            "Used for patient IDs and plan labels in queries, and for answers that do not specify "
            "one. Unaccented letters are the same in all."
        ),
    )

    stable_answers = models.PositiveSmallIntegerField(
        _("stable answers"),
        default=1,
        validators=[MaxValueValidator(10)],
        help_text=_(
            "1 or more: images of a session that may still be under way are an error, unless "
            "count= is met. 0: they are handed over."
        ),
    )

    connect_timeout = _Seconds(
        _("connect timeout"), default=5, help_text=_("Seconds to wait for a connection.")
    )
    response_timeout = _Seconds(
        _("response timeout"),
        default=100,
        help_text=_("Seconds to wait for the answer to a query."),
    )
    quiet_timeout = _Seconds(
        _("quiet timeout"), default=60, help_text=_("Seconds to wait for the next image.")
    )
    grace = _Seconds(
        _("grace period"),
        default=5,
        help_text=_(
            "Seconds to wait for late images after the service has reported the end of the "
            "transfer."
        ),
    )
    deadline = _Seconds(
        _("deadline"),
        default=25,
        help_text=_(
            "Seconds that a composite test may take in total; web servers end a request after 30."
        ),
    )
    clock_ahead = models.FloatField(
        _("clock ahead"),
        default=0,
        validators=CLOCK,
        help_text=_(
            "Seconds by which the clocks of the imagers are ahead of QATrack+'s, negative if they "
            "are behind: the times of images are compared with the end of a session, and with now."
        ),
    )
    command_deadline = _Seconds(
        _("command deadline"),
        default=300,
        help_text=_("Seconds that fetch_aria may take in total."),
    )
    notes = models.TextField(
        _("notes"), blank=True, help_text=_("Who runs the service, and whom to contact.")
    )

    class Meta:
        abstract = True
