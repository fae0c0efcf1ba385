"""Validators of what an administrator enters."""

from __future__ import annotations

import os
import re

from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
    validate_email,
    validate_ipv4_address,
    validate_ipv6_address,
)
from django.utils.translation import gettext_lazy as _


def validate_ae_title(value: str) -> None:
    """Check an application entity title (PS3.5 section 6.2, VR AE).

    Raises
    ------
    ValidationError
        It does not have 1 to 16 ASCII characters without backslash and control characters, or it
        consists of spaces only.
    """
    if not value.strip(" "):
        raise ValidationError(_("An AE title cannot consist of spaces only."), code="blank")
    if value != value.strip(" "):
        raise ValidationError(
            _("Spaces before or after an AE title are not significant: remove them."), code="padded"
        )
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", value):
        raise ValidationError(
            _(
                "An AE title has 1 to 16 ASCII characters, without backslash and control "
                "characters."
            ),
            code="characters",
        )


def validate_host(value: str) -> None:
    """Check a host name, an IPv4 or an IPv6 address.

    Raises
    ------
    ValidationError
        It is none of them, or has something else with it, such as a port or a scheme.
    """
    if re.search(r"[\s/\\\[\]@]", value) or "://" in value:
        raise ValidationError(
            _("Enter only a name or an address, without spaces, brackets, http:// or slashes."),
            code="host",
        )
    if value.count(":") == 1:
        raise ValidationError(_("Enter the port in its own field, not with the host."), code="port")
    if ":" in value:
        # %eth0 names the interface; Python before 3.9 does not accept that.
        validate_ipv6_address(re.sub(r"\A([^%]+)%\w+\Z", r"\1", value))
    elif re.fullmatch(r"[0-9.]+", value):
        validate_ipv4_address(value)
    elif not re.fullmatch(r"\w([\w-]{0,61}\w)?(\.\w([\w-]{0,61}\w)?)*\.?", value):
        raise ValidationError(_("This is neither a host name nor an IPv4 address."), code="host")


def validate_full_path(value: str) -> None:
    """Check that a path is absolute, and so the same for the web server and the command line."""
    if not os.path.isabs(value):
        raise ValidationError(_("Enter the full path."), code="relative")


def validate_hosts(value: str) -> None:
    """Check a list of hosts, one per line."""
    for line in lines(value):
        validate_host(line)


validate_name = RegexValidator(
    r"\A[A-Za-z][A-Za-z0-9_-]*\Z",
    _("Use letters, digits, - and _ only, beginning with a letter."),
)
PORT = (MinValueValidator(1), MaxValueValidator(65535))
CLOCK = (MinValueValidator(-3600), MaxValueValidator(3600))
SECONDS = (MinValueValidator(0.1), MaxValueValidator(3600))


def lines(value: str) -> list[str]:
    """Return the entries of a list that has one per line."""
    return [line.strip() for line in value.splitlines() if line.strip()]


def validate_addresses(value: str) -> None:
    """Check e-mail addresses, one per line."""
    for address in lines(value):
        validate_email(address)


def validate_one_line(value: str) -> None:
    """Check a text that is shown, logged, and the subject of e-mails."""
    if not value.isprintable():
        raise ValidationError(_("Use letters, digits and signs of one line only."), code="line")
