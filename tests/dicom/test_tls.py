"""TLS both ways: with Orthanc, and with servers and callers that do it wrong."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from typing import Any, Callable, Iterator

import pytest
import trustme
from django.core.exceptions import ValidationError

from qatrack_aria import fetch_images
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.storage_scp import StorageScp
from qatrack_aria.errors import (
    AssociationRejectedError,
    ConfigurationError,
    IncompleteRetrievalError,
    NodeUnreachableError,
    TlsError,
    TlsFileError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.connection_test import ConnectionTest
from tests.conftest import start
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz
from tests.helpers.peers.orthanc import Orthanc
from tests.helpers.waiting import PATIENCE

YESTERDAY = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)


class Papers:
    """An authority, and the certificates that it gave to both sides, as files."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str, host: str = "127.0.0.1", **options: Any) -> tuple[str, str]:
        """The files of a certificate and of its key."""
        issued = self.authority.issue_cert(host, **options)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    def client(self, name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(*self.issue(name))
        return context

    def server(self, name: str, **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(name, **options))
        return context


@pytest.fixture(scope="module")
def papers(tmp_path_factory: Any) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def running(papers: Papers) -> Iterator[Orthanc]:
    certificate, key = papers.issue("orthanc")
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": certificate,
        "DicomTlsPrivateKey": key,
        "DicomTlsTrustedCertificates": papers.ca_file,
        "DicomTlsRemoteCertificateRequired": True,
    }
    yield from start(Orthanc(settings=settings, tls=papers.client("tester")))


@pytest.fixture
def encrypted(node: Any, papers: Papers) -> Any:
    """The node "aria", which wants TLS and shows a certificate of the same authority."""
    node.use_tls, node.tls_ca_file = True, papers.ca_file
    node.tls_certificate_file, node.tls_key_file = papers.issue("qatrack")
    node.full_clean()
    node.save()
    return node


@pytest.fixture
def orthanc_tls(running: Orthanc, encrypted: Any) -> Orthanc:
    running.clear()
    running.set_peer(encrypted.local_ae_title, encrypted.local_host, encrypted.local_port)
    encrypted.remote_port, encrypted.remote_ae_title = running.port, running.ae_title
    encrypted.save()
    return running


@pytest.fixture
def listen(encrypted: Any) -> Iterator[Callable[[Callable[[socket.socket], None]], None]]:
    """Start a TCP server at the node's address that treats each connection in its own way."""
    with ExitStack() as stack:

        def begin(treat: Callable[[socket.socket], None]) -> None:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            encrypted.remote_port = server.getsockname()[1]
            encrypted.save()

            def serve() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection:
                        with suppress(OSError):
                            treat(connection)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown, socket.SHUT_RDWR)

        yield begin


def fetch() -> Any:
    return fetch_images("aria", PATIENT, "WL", deadline=PATIENCE)


# --- it works ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
def test_images_arrive_over_tls(orthanc_tls: Orthanc, encrypted: Any, method: str) -> None:
    wl = plan()
    mine = winston_lutz(wl)
    orthanc_tls.store([wl, *mine])
    encrypted.retrieve_method = method
    encrypted.save()
    assert uids(fetch()) == uids(mine)


def test_at_least_tls_1_2_is_spoken(listen: Any, papers: Papers) -> None:
    spoken = []
    context = papers.server("new")

    def treat(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as sock:
            spoken.append(sock.version())

    listen(treat)
    with pytest.raises(NodeUnreachableError):
        fetch()
    assert set(spoken) <= {"TLSv1.2", "TLSv1.3"}
    assert spoken


# --- the service's side -----------------------------------------------------------------------


def _shows(listen: Any, context: ssl.SSLContext) -> None:
    listen(lambda connection: context.wrap_socket(connection, server_side=True).close())


def test_a_service_of_an_unknown_authority_is_not_trusted(
    listen: Any, tmp_path: Any, papers: Papers
) -> None:
    _shows(listen, Papers(tmp_path).server("stranger"))
    with pytest.raises(TlsError, match=r"authority that is not trusted here .*CA file"):
        fetch()


def test_a_certificate_for_another_host_is_not_trusted(listen: Any, papers: Papers) -> None:
    _shows(listen, papers.server("elsewhere", host="aria.example.org"))
    with pytest.raises(TlsError, match=r"does not name '127\.0\.0\.1'"):
        fetch()


def test_the_host_check_can_be_left_out(listen: Any, papers: Papers, encrypted: Any) -> None:
    encrypted.tls_check_host = False
    _shows(listen, papers.server("elsewhere", host="aria.example.org"))
    with pytest.raises(NodeUnreachableError, match="does not answer, or closes it"):
        fetch()


def test_an_expired_certificate_is_not_trusted(listen: Any, papers: Papers) -> None:
    _shows(listen, papers.server("expired", not_after=YESTERDAY))
    with pytest.raises(TlsError, match=r"not valid today .*expired"):
        fetch()


def test_a_service_without_tls_is_named(serve: Any, encrypted: Any) -> None:
    serve()
    with pytest.raises(TlsError, match="does not speak TLS on this port"):
        fetch()


def test_a_service_that_wants_tls_is_a_guess_where_the_node_has_none(
    orthanc_tls: Orthanc, encrypted: Any
) -> None:
    encrypted.use_tls = False
    encrypted.save()
    with pytest.raises(NodeUnreachableError, match="and one without TLS"):
        fetch()


def test_a_service_that_does_not_trust_our_certificate_is_named(
    orthanc_tls: Orthanc, encrypted: Any, tmp_path: Any
) -> None:
    encrypted.tls_certificate_file, encrypted.tls_key_file = Papers(tmp_path).issue("stranger")
    encrypted.save()
    with pytest.raises(AssociationRejectedError, match="does not accept our certificate"):
        fetch()


def test_a_service_that_wants_a_certificate_is_named_when_we_have_none(
    orthanc_tls: Orthanc, encrypted: Any
) -> None:
    encrypted.retrieve_method = "C-GET"
    encrypted.tls_certificate_file = encrypted.tls_key_file = ""
    encrypted.save()
    with pytest.raises(AssociationRejectedError, match="does not accept our certificate"):
        fetch()


def test_a_service_that_is_silent_in_the_handshake_does_not_hold_us(
    listen: Any, encrypted: Any
) -> None:
    encrypted.connect_timeout = 0.3
    released = threading.Event()
    listen(lambda connection: released.wait(10) and None)
    try:
        with pytest.raises(NodeUnreachableError):
            fetch_images("aria", PATIENT, "WL", deadline=2)
    finally:
        released.set()


# --- our port ---------------------------------------------------------------------------------


@pytest.fixture
def inbox(node: Any, papers: Papers) -> Iterator[Inbox]:
    """What our storage SCP, listening with TLS, has turned away."""
    node.use_tls, node.tls_ca_file = True, papers.ca_file
    node.tls_certificate_file, node.tls_key_file = papers.issue("qatrack")
    inbox = Inbox(lambda incoming: None)
    with StorageScp(node.peer(), inbox):
        yield inbox


def _call(node: Any, wrap: Callable[[socket.socket], socket.socket]) -> None:
    """Call our port, send the beginning of an A-ASSOCIATE-RQ, and wait until it hangs up."""
    with socket.create_connection((node.local_host, node.local_port), PATIENCE) as plain:
        with suppress(OSError), wrap(plain) as sock:
            sock.sendall(b"\x01\x00\x00\x00\x00\x44" + b"\0" * 68)
            while sock.recv(100):
                pass


def turned_away(inbox: Inbox) -> list[str]:
    """The reasons; a caller may be gone a moment before they are noted."""
    with inbox.changed:
        inbox.changed.wait_for(lambda: inbox.refused, PATIENCE)
        return inbox.refused


def test_a_caller_without_tls_is_turned_away(node: Any, inbox: Inbox) -> None:
    _call(node, lambda plain: plain)
    (reason,) = turned_away(inbox)
    assert "does not speak TLS" in reason


def test_a_caller_without_a_certificate_is_turned_away(
    node: Any, inbox: Inbox, papers: Papers
) -> None:
    context = ssl.create_default_context(cafile=papers.ca_file)
    _call(node, lambda plain: context.wrap_socket(plain, server_hostname="127.0.0.1"))
    (reason,) = turned_away(inbox)
    assert "presents no certificate" in reason


def test_a_caller_of_an_unknown_authority_is_turned_away(
    node: Any, inbox: Inbox, papers: Papers, tmp_path: Any
) -> None:
    context = ssl.create_default_context(cafile=papers.ca_file)
    context.load_cert_chain(*Papers(tmp_path).issue("stranger"))
    _call(node, lambda plain: context.wrap_socket(plain, server_hostname="127.0.0.1"))
    (reason,) = turned_away(inbox)
    assert "authority that is not trusted here" in reason


def test_a_caller_that_is_silent_in_the_handshake_keeps_nobody_out(
    orthanc_tls: Orthanc, encrypted: Any
) -> None:
    wl = plan()
    mine = winston_lutz(wl)
    orthanc_tls.store([wl, *mine])
    silent = []

    def connect_as_soon_as_possible() -> None:
        while not silent:
            try:
                silent.append(socket.create_connection(("127.0.0.1", encrypted.local_port)))
            except OSError:
                continue

    thread = threading.Thread(target=connect_as_soon_as_possible)
    thread.start()
    try:
        assert uids(fetch()) == uids(mine)
    finally:
        thread.join()
        silent[0].close()


def test_an_image_is_refused_where_the_server_sends_without_tls(
    orthanc_tls: Orthanc, encrypted: Any
) -> None:
    wl = plan()
    orthanc_tls.store([wl, *winston_lutz(wl)])
    tls, orthanc_tls.tls = orthanc_tls.tls, None
    orthanc_tls.set_peer(encrypted.local_ae_title, encrypted.local_host, encrypted.local_port)
    orthanc_tls.tls = tls
    with pytest.raises(IncompleteRetrievalError, match="does not speak TLS"):
        fetch()


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "content", "says"),
    [
        ("tls_ca_file", None, "CA file .* cannot be read .*No such file"),
        ("tls_ca_file", "no certificate", "CA file .* cannot be used"),
        ("tls_certificate_file", None, "certificate .* cannot be read"),
        ("tls_certificate_file", "no certificate", "cannot be used"),
        ("tls_key_file", None, "key .* cannot be read"),
        ("tls_key_file", "no key", "cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_before_anything_is_sent(
    encrypted: Any, tmp_path: Any, field: str, content: Any, says: str
) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    setattr(encrypted, field, str(file))
    with pytest.raises(ValidationError, match=says):
        encrypted.full_clean()
    encrypted.save()
    with pytest.raises(TlsFileError, match=says):
        fetch()


@pytest.mark.parametrize("field", ["tls_ca_file", "tls_certificate_file", "tls_key_file"])
def test_only_administrators_learn_where_keys_and_certificates_are(
    encrypted: Any, tmp_path: Any, caplog: Any, field: str
) -> None:
    """Any user of QATrack+ sees the message of a composite test."""
    setattr(encrypted, field, str(tmp_path / "secret" / "file.pem"))
    encrypted.save()
    with pytest.raises(TlsFileError, match="connection test") as raised:
        fetch()
    assert "file.pem" not in str(raised.value)
    with pytest.raises(TlsFileError) as repeated:
        fetch()
    assert str(repeated.value) == str(raised.value)
    assert "secret" not in Retrieval.objects.first().message
    assert "file.pem" in caplog.text


def test_the_connection_test_names_the_file(orthanc_tls: Orthanc, encrypted: Any) -> None:
    encrypted.tls_key_file = "/etc/ssl/none.pem"
    *_, last = ConnectionTest(encrypted).run()
    assert not last.passed
    assert "/etc/ssl/none.pem" in last.message


def test_the_key_of_another_certificate_is_named(encrypted: Any, papers: Papers) -> None:
    encrypted.tls_key_file = papers.issue("other")[1]
    with pytest.raises(ValidationError, match="key values mismatch"):
        encrypted.full_clean()


def test_a_relative_path_is_refused_in_the_admin(encrypted: Any) -> None:
    encrypted.tls_ca_file = "ca.pem"
    with pytest.raises(ValidationError, match="full path"):
        encrypted.full_clean()


def test_c_move_needs_a_certificate_of_ours(encrypted: Any) -> None:
    encrypted.tls_certificate_file = ""
    with pytest.raises(ValidationError, match="Required for C-MOVE"):
        encrypted.full_clean()
    encrypted.save()
    with pytest.raises(ConfigurationError, match="Required for C-MOVE"):
        fetch()
