"""Tell people by e-mail what was left for them; Django's mail settings apply."""

from __future__ import annotations

import logging

from django.core.mail import send_mail
from django.utils.translation import gettext as _

from qatrack_aria.models import WatchedSession

logger = logging.getLogger("qatrack_aria")


def tell(row: WatchedSession) -> None:
    """Send the message of a session to the addresses of its watch; a failure is logged."""
    addresses = row.watch.addresses
    if not addresses:
        return
    subject = _("%(watch)s: left for a person") % {"watch": row.watch}
    text = f"{row}\n\n{row.message}\n"
    try:
        send_mail(subject, text, None, addresses)
    except Exception as error:  # a mail server may fail in any way
        # Its text may hold the addresses.
        logger.warning("the e-mail of a watch was not sent: %s", type(error).__name__)
