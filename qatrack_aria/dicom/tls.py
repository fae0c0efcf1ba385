"""TLS on both ways: our calls, and the images that come to our port (PS3.15 B.12 and B.13).

TLS 1.2 or newer, and both sides show a certificate that the other verifies. What goes wrong here
is told in the words of whoever has to mend it: OpenSSL's own are for programmers.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Callable, NamedTuple

from qatrack_aria.dicom.peer import Peer, Tls
from qatrack_aria.errors import ConfigurationError, TlsError
from qatrack_aria.text import error_reason


class TlsProblem(NamedTuple):
    """Why there is no TLS, and what to do."""

    what: str
    cure: str

    def error(self, peer: Peer) -> TlsError:
        """It as the error of a call to that node."""
        return TlsError(f"TLS: {peer} {self.what}: {self.cure}.")


def client_context(tls: Tls) -> ssl.SSLContext:
    """What our associations are encrypted by.

    Raises
    ------
    ConfigurationError
        A file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.check_host
    _believe(context, tls, ssl.Purpose.SERVER_AUTH)
    if tls.certificate_file:
        _identify(context, tls)
    return context


def server_context(tls: Tls) -> ssl.SSLContext:
    """What our storage SCP is encrypted by; raises as :func:`client_context` does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    _believe(context, tls, ssl.Purpose.CLIENT_AUTH)
    _identify(context, tls)
    return context


def probe(address: str, port: int, tls: Tls, host: str, seconds: float) -> TlsProblem | None:
    """Try a handshake, to learn why an association over TLS did not come about.

    Parameters
    ----------
    address, port : str, int
        Where to call.
    tls : Tls
        How.
    host : str
        The name that the certificate must have.
    seconds : float
        How long each step may take.
    """
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            with client_context(tls).wrap_socket(plain, server_hostname=host) as sock:
                # From TLS 1.3 on the other side judges our certificate after the handshake.
                sock.recv(1)
    except socket.timeout:
        return None
    except OSError as error:
        return explain(error, host)
    return None


def explain(error: OSError, host: str = "") -> TlsProblem | None:
    """What an error of a handshake means; ``None`` if it is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _UNBELIEVED.get(error.verify_code, _untold_reason)(host, error.verify_message)
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or str(error)
    for part, trouble in _ALERTS.items():
        if part in reason:
            return trouble
    return TlsProblem(
        f"cannot agree with us on TLS ({reason.replace('_', ' ').lower()})",
        "compare the TLS settings of both sides",
    )


# --- files ------------------------------------------------------------------------------------


def _believe(context: ssl.SSLContext, tls: Tls, purpose: ssl.Purpose) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.ca_file:
        context.load_default_certs(purpose)
        return
    with _reading("CA file", tls.ca_file):
        context.load_verify_locations(cafile=tls.ca_file)


def _identify(context: ssl.SSLContext, tls: Tls) -> None:
    key_file = tls.key_file or tls.certificate_file
    for what, file in (("certificate", tls.certificate_file), ("key", key_file)):
        with _reading(what, file), open(file, "rb"):
            pass  # OpenSSL does not say which of the two it cannot read
    with _reading("certificate or key", os.path.basename(tls.certificate_file)):
        # Without a password of ours OpenSSL would ask for one, on the terminal of the web server.
        context.load_cert_chain(tls.certificate_file, key_file, password=lambda: b"")


class _reading:
    """Names the file that cannot be used."""

    def __init__(self, what: str, file: str) -> None:
        self._where = f"TLS: the {what} {file} of the node"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ssl.SSLError):
            why = (error.reason or "no certificate or key in it").replace("_", " ").lower()
            raise ConfigurationError(
                f"{self._where} cannot be used ({why}): it must be PEM, the key without a password "
                "and that of the certificate. Nothing was sent."
            ) from error
        if isinstance(error, (OSError, ValueError)):
            why = error_reason(error)
            raise ConfigurationError(
                f"{self._where} cannot be read ({why}): give its full path, and let the account "
                "that runs QATrack+ read it. Nothing was sent."
            ) from error


# --- what goes wrong --------------------------------------------------------------------------

_Words = Callable[[str, str], TlsProblem]


def _unknown_authority(host: str, said: str) -> TlsProblem:
    return TlsProblem(
        f"shows a certificate of an authority that is not believed here ({said})",
        "give the node's CA file: the certificate of whoever issued the service's",
    )


def _other_host(host: str, said: str) -> TlsProblem:
    return TlsProblem(
        f"shows a certificate that does not name '{host}'",
        "call it by the name in its certificate, or untick the node's TLS host check",
    )


def _wrong_time(host: str, said: str) -> TlsProblem:
    return TlsProblem(
        f"shows a certificate that is not valid today ({said})",
        "let whoever runs it renew it, and see that this machine's clock is right",
    )


def _untold_reason(host: str, said: str) -> TlsProblem:
    return TlsProblem(
        f"shows a certificate that cannot be verified ({said})", "ask whoever runs the service"
    )


#: By OpenSSL's X509_V_ERR_ codes.
_UNBELIEVED: dict[int, _Words] = {
    **dict.fromkeys((2, 18, 19, 20, 21), _unknown_authority),
    **dict.fromkeys((9, 10), _wrong_time),
    **dict.fromkeys((62, 64), _other_host),
}

_NO_TLS = TlsProblem(
    "does not speak TLS on this port",
    "give the port of its TLS service (often 2762), or untick the node's TLS",
)
_NOT_BELIEVED = TlsProblem(
    "does not accept our certificate",
    "let whoever runs it believe the authority of our certificate; is ours given, and valid?",
)
_TOO_OLD = TlsProblem(
    "offers only TLS older than 1.2",
    "let whoever runs it turn on TLS 1.2 or 1.3",
)
_NO_CERTIFICATE = TlsProblem(
    "shows no certificate", "let whoever runs it give the service a certificate of its own"
)
#: By a part of OpenSSL's reason; the first that fits.
_ALERTS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": _NO_CERTIFICATE,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNKNOWN_PROTOCOL": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "PROTOCOL_VERSION": _TOO_OLD,
    "CERTIFICATE": _NOT_BELIEVED,
    "UNKNOWN_CA": _NOT_BELIEVED,
    "HANDSHAKE_FAILURE": _NOT_BELIEVED,
    "ACCESS_DENIED": _NOT_BELIEVED,
    "EOF": _NO_TLS,
}
