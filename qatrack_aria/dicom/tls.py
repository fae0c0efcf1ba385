"""TLS for our associations and for those to our port (PS3.15 B.12 and B.13).

TLS 1.2 or newer; each side verifies the other's certificate. OpenSSL's messages are for
programmers: here they become messages that say what to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
from typing import Iterator, NamedTuple

from qatrack_aria.dicom.peer import Peer, Tls
from qatrack_aria.errors import TlsError, TlsFileError
from qatrack_aria.text import error_reason

logger = logging.getLogger(__name__)


class TlsProblem(NamedTuple):
    """Why TLS failed, and what to do."""

    what: str
    advice: str

    def error(self, peer: Peer) -> TlsError:
        """Return the error to raise for a node."""
        return TlsError(f"TLS: {peer} {self.what}: {self.advice}.")


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context of our associations.

    Raises
    ------
    TlsFileError
        A file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.check_host
    _load_authorities(context, tls, ssl.Purpose.SERVER_AUTH)
    if tls.certificate_file:
        _load_certificate(context, tls)
    return context


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context of our storage SCP; raises as :func:`client_context` does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    _load_authorities(context, tls, ssl.Purpose.CLIENT_AUTH)
    _load_certificate(context, tls)
    return context


def probe(address: str, port: int, tls: Tls, host: str, seconds: float) -> TlsProblem | None:
    """Try a handshake, to find out why an association over TLS failed.

    Parameters
    ----------
    address, port : str, int
        The address and port of the node.
    tls : Tls
        Its TLS files.
    host : str
        The host name that the certificate must have.
    seconds : float
        The limit of each step.
    """
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            with client_context(tls).wrap_socket(plain, server_hostname=host) as sock:
                # From TLS 1.3 on the other side verifies our certificate after the handshake.
                sock.recv(1)
    except socket.timeout:
        return None
    except OSError as error:
        return explain(error, host)
    return None


def explain(error: OSError, host: str = "") -> TlsProblem | None:
    """Explain an error of a handshake; ``None`` if it is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what, advice = _NOT_VERIFIED.get(error.verify_code, _OTHER_REASON)
        return TlsProblem(what.format(host=host, message=error.verify_message), advice)
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or str(error)
    for part, problem in _ALERTS.items():
        if part in reason:
            return problem
    return TlsProblem(
        f"cannot agree with us on TLS ({reason.replace('_', ' ').lower()})",
        "compare the TLS settings of both sides",
    )


# --- files ------------------------------------------------------------------------------------


def _load_authorities(context: ssl.SSLContext, tls: Tls, purpose: ssl.Purpose) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.ca_file:
        context.load_default_certs(purpose)
        return
    with _reading("CA file", tls.ca_file):
        context.load_verify_locations(cafile=tls.ca_file)


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    key_file = tls.key_file or tls.certificate_file
    for what, file in (("certificate", tls.certificate_file), ("key", key_file)):
        with _reading(what, file), open(file, "rb"):
            pass  # OpenSSL does not say which of the two files it cannot read
    with _reading("certificate or key", os.path.basename(tls.certificate_file)):
        # Without a password OpenSSL would prompt for one, on the terminal of the web server.
        context.load_cert_chain(tls.certificate_file, key_file, password=lambda: b"")


@contextlib.contextmanager
def _reading(what: str, file: str) -> Iterator[None]:
    """Name the file in the error if it cannot be used."""
    try:
        yield
    except ssl.SSLError as error:
        why = (error.reason or "no certificate or key in it").replace("_", " ").lower()
        raise _file_error(
            what,
            file,
            f"cannot be used ({why}): it must be PEM, the key without a password and that of the "
            "certificate",
        ) from error
    except (OSError, ValueError) as error:
        raise _file_error(
            what,
            file,
            f"cannot be read ({error_reason(error)}): give its full path, and let the account that "
            "runs QATrack+ read it",
        ) from error


def _file_error(what: str, file: str, problem: str) -> TlsFileError:
    """Return the error, with the path for administrators only, and log it with the path."""
    detail = f"TLS: the {what} {file} of the node {problem}. Nothing was sent."
    logger.warning("%s", detail)
    return TlsFileError(
        f"TLS: the {what} of the node {problem}; the connection test in the admin and the log name "
        "the file. Nothing was sent.",
        detail,
    )


# --- messages ---------------------------------------------------------------------------------

_UNKNOWN_AUTHORITY = TlsProblem(
    "presents a certificate of an authority that is not trusted here ({message})",
    "set the node's CA file to the certificate of the authority that issued the service's",
)
_OTHER_HOST = TlsProblem(
    "presents a certificate that does not name '{host}'",
    "set the node's host to the name in its certificate, or untick its TLS host check",
)
_WRONG_TIME = TlsProblem(
    "presents a certificate that is not valid today ({message})",
    "ask its administrator to renew it, and check this machine's clock",
)
_OTHER_REASON = TlsProblem(
    "presents a certificate that cannot be verified ({message})",
    "ask the service's administrator",
)
#: By OpenSSL's X509_V_ERR_ codes.
_NOT_VERIFIED = {
    **dict.fromkeys((2, 18, 19, 20, 21), _UNKNOWN_AUTHORITY),
    **dict.fromkeys((9, 10), _WRONG_TIME),
    **dict.fromkeys((62, 64), _OTHER_HOST),
}

_NO_TLS = TlsProblem(
    "does not speak TLS on this port",
    "set the port of its TLS service (often 2762), or untick the node's TLS",
)
_NOT_ACCEPTED = TlsProblem(
    "does not accept our certificate",
    "ask its administrator to trust the authority of our certificate; is ours set, and valid?",
)
_TOO_OLD = TlsProblem(
    "offers only TLS older than 1.2",
    "ask its administrator to turn on TLS 1.2 or 1.3",
)
_NO_CERTIFICATE = TlsProblem(
    "presents no certificate", "ask its administrator to give the service a certificate of its own"
)
#: By a part of OpenSSL's reason; the first that matches counts.
_ALERTS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": _NO_CERTIFICATE,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNKNOWN_PROTOCOL": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "PROTOCOL_VERSION": _TOO_OLD,
    "CERTIFICATE": _NOT_ACCEPTED,
    "UNKNOWN_CA": _NOT_ACCEPTED,
    "HANDSHAKE_FAILURE": _NOT_ACCEPTED,
    "ACCESS_DENIED": _NOT_ACCEPTED,
    "EOF": _NO_TLS,
}
