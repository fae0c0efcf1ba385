"""All code that depends on private parts of pynetdicom, or on its version (2.0 to 3).

No other package uses them, and ``tests/dicom/test_pynetdicom_patches.py`` names each of them.
"""

from __future__ import annotations

from .answers import decode_answers_once, keep_responses, undecoded_identifiers
from .library import (
    application_entity,
    listener_class,
    peer_address,
    private_logging,
    register_storage,
)
from .serving import (
    answer_bytes,
    close_unassociated,
    decode_by,
    handler_class,
    is_cancelled,
    read_by,
    reject,
    run_by,
    send_response,
    serve_by,
    stop_waiting,
    threads_of,
    unfiled_bytes,
)
from .waiting import (
    NO_DELAY,
    abort,
    end_in_time,
    end_waits_with_connection,
    set_no_delay,
    shut_down,
    socket_of,
)

__all__ = [
    "NO_DELAY",
    "abort",
    "answer_bytes",
    "application_entity",
    "close_unassociated",
    "decode_answers_once",
    "decode_by",
    "end_in_time",
    "end_waits_with_connection",
    "handler_class",
    "is_cancelled",
    "keep_responses",
    "listener_class",
    "peer_address",
    "private_logging",
    "read_by",
    "register_storage",
    "reject",
    "run_by",
    "send_response",
    "serve_by",
    "set_no_delay",
    "shut_down",
    "socket_of",
    "stop_waiting",
    "threads_of",
    "undecoded_identifiers",
    "unfiled_bytes",
]
