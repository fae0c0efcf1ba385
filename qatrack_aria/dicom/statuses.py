"""The final statuses of C-MOVE and C-GET in words.

Pages use this module too: it imports neither pydicom nor pynetdicom.
"""

from __future__ import annotations

SUCCESS = 0x0000
WARNING = 0xB000
UNKNOWN_DESTINATION = 0xA801

#: Statuses that may mean that an instance is of a class that the node does not send to us.
CLASS_REFUSED = (0x0122, 0xA900, 0xC001)

#: The meaning of the final statuses (PS3.4 C.4.2.1.5), and what to do about them.
STATUSES = {
    0x0000: "Success",
    0x0122: "SOP class not supported",
    0xB000: "some sub-operations failed",
    0xA701: "the node is out of resources to count the images",
    0xA702: "the node is out of resources to send",
    0xA801: "the node does not know our AE title as a destination: add it, with this machine's "
    "address and port, to ARIA's trusted application entities",
    0xA900: "the node does not accept the identifier, or not for this SOP class",
    0xC001: "unable to process; ARIA ends like this when a storage class was not offered",
    0xFE00: "cancelled",
}


def describe_end(
    status: int | None, completed: int | None, failed: int | None, broken: str = ""
) -> str:
    """Return how a C-MOVE or C-GET ended, in words.

    Parameters
    ----------
    status : int or None
        The final status, if there was one.
    completed, failed : int or None
        The numbers of sub-operations that the node reports.
    broken : str
        Why the wait for the final status was broken off.
    """
    if status is None:
        return broken or "no final response"
    meaning = STATUSES.get(status, "unable to process")
    counts = [
        f"{number} {word}"
        for number, word in ((completed, "completed"), (failed, "failed"))
        if number is not None
    ]
    text = f"status 0x{status:04X} ({meaning})"
    return f"{text}, the node counts {' and '.join(counts)}" if counts else text
