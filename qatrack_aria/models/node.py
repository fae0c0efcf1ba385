"""The nodes, and the rules that each of them sets."""

from __future__ import annotations

import dataclasses
import re
from fnmatch import translate
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from qatrack_aria.dicom import character_sets
from qatrack_aria.dicom.peer import Peer, Tls
from qatrack_aria.dicom.transports import TRANSPORTS
from qatrack_aria.errors import (
    ConfigurationError,
    InactiveNodeError,
    PatientNotAllowedError,
    RequestError,
    TlsFileError,
)
from qatrack_aria.models.node_manager import AriaNodeManager
from qatrack_aria.models.node_settings import NodeSettings
from qatrack_aria.validators import lines


class AriaNode(NodeSettings):
    """One DICOM query/retrieve service, and how to use it."""

    objects = AriaNodeManager()

    class Meta:
        verbose_name = _("ARIA node")
        verbose_name_plural = _("ARIA nodes")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> Any:
        """Return the key by which fixtures name the node."""
        return (self.name,)

    @property
    def source(self) -> str:
        """The service that it stands for.

        After a change of it the images are fetched again: the same UID at another address may be
        another image, such as a copy on a test system.
        """
        host = self.remote_host.strip().lower()
        return f"{self.remote_ae_title.strip()} {host} {self.remote_port}"

    def clean(self) -> None:
        """Check the fields against each other."""
        if not self.is_active and self.is_default:
            raise ValidationError(
                {"is_default": _("A node that is switched off cannot be the default.")}
            )
        self._require_certificate()
        if self.use_tls:
            from qatrack_aria.dicom import tls

            try:
                tls.client_context(self._tls())
            except TlsFileError as error:
                raise ValidationError({"use_tls": error.detail}) from error

    def _require_certificate(self) -> None:
        without = self.use_tls and not self.tls_certificate_file
        if without and TRANSPORTS[self.retrieve_method].uses_port:
            raise ValidationError(
                {"tls_certificate_file": _("Required for C-MOVE: the service verifies it.")}
            )

    def _tls(self) -> Tls:
        return Tls(
            self.tls_ca_file, self.tls_certificate_file, self.tls_key_file, self.tls_check_host
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the node; a new default replaces the old one."""
        with transaction.atomic():
            if self.is_default:
                AriaNode.objects.exclude(pk=self.pk).filter(is_default=True).update(
                    is_default=False
                )
            super().save(*args, **kwargs)

    def require_active(self) -> None:
        """Require that the node is active; raises :class:`InactiveNodeError`."""
        if not self.is_active:
            raise InactiveNodeError(
                f"Node: '{self.name}' is switched off: tick 'is active' in the admin under ARIA "
                "nodes, or name another node. Nothing was sent."
            )

    def require_writable(self, what: str, value: str) -> None:
        """Require that the node's character set can encode a value of a query.

        Raises
        ------
        RequestError
            It cannot; the message calls the value `what`.
        """
        if not character_sets.can_encode(value, self.character_set):
            raise RequestError(
                f"Character set: the {what} '{value}' cannot be written in {self.character_set}, "
                f"the character set of node '{self.name}', without loss and without the bytes of "
                "a wildcard: correct it, or choose another set in the admin. Nothing was sent."
            )

    @property
    def allows_everyone(self) -> str:
        """The first pattern that names no patient, such as ``*`` or ``?*``; empty if there is none.

        A pattern without any letter or digit matches the patients of the clinic too.
        """
        patterns = lines(self.allowed_patients)
        return next((pattern for pattern in patterns if not pattern.strip("*? ")), "")

    def require_allowed(self, patient_id: str) -> None:
        """Require that this patient's images may be fetched.

        Raises
        ------
        PatientNotAllowedError
            No pattern of the node matches.
        """
        patterns = lines(self.allowed_patients)
        if not any(self.matches(pattern, patient_id) for pattern in patterns):
            listed = ", ".join(patterns[:5]) if patterns else "none yet"
            raise PatientNotAllowedError(
                f"Patient: '{patient_id}' is not among the patients of node '{self.name}' "
                f"(allowed: {listed}): correct the ID, or add it in the admin under ARIA nodes. "
                "Nothing was sent."
            )

    @staticmethod
    def matches(pattern: str, patient_id: str) -> bool:
        """Return whether a pattern of the allowed patients matches a patient."""
        # Only * and ? are special; fnmatch would take [ ] too.
        return re.match(translate(pattern.replace("[", "[[]")), patient_id) is not None

    def peer(self) -> Peer:
        """Return the node as the DICOM layer uses it.

        Raises
        ------
        ConfigurationError
            A field has a value that the admin would have refused.
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
        own: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(Peer)
            if field.name not in ("extra_hosts", "tls")
        }
        tls = self._tls() if self.use_tls else None
        return Peer(**own, extra_hosts=tuple(lines(self.extra_hosts)), tls=tls)
