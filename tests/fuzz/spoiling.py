"""How inputs are made for fuzzing: bytes that were right, spoilt; and elements made up."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

#: Value representations, and two that there are not.
VRS = (
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OF", "OW"),
    *("PN", "SH", "SL", "SQ", "SS", "ST", "TM", "UI", "UL", "UN", "US", "UT", "XX", "\0\0"),
)
LONG = ("OB", "OF", "OW", "SQ", "UN", "UT")
#: Attributes that are read of answers and files (and one that must never be).
TAGS = {
    "SpecificCharacterSet": 0x00080005,
    "ImageType": 0x00080008,
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "AcquisitionDate": 0x00080022,
    "ContentDate": 0x00080023,
    "AcquisitionTime": 0x00080032,
    "ContentTime": 0x00080033,
    "Modality": 0x00080060,
    "StationName": 0x00081010,
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "StudyID": 0x00200010,
    "RTPlanLabel": 0x300A0002,
    "RTPlanDate": 0x300A0006,
    "RTPlanTime": 0x300A0007,
    "RadiationMachineName": 0x30020020,
    "ExposureSequence": 0x30020030,
    "PrimaryDosimeterUnit": 0x300A00B3,
    "ReferencedRTPlanSequence": 0x300C0002,
}
#: Values that mean something here, or to a terminal, a browser, a database or a path.
WORDS = (
    *(b"RTIMAGE", b"RTPLAN", b"ORIGINAL\\PRIMARY\\PORTAL", b"WL", b"QA_TB1", b"MU", b"MINUTE"),
    *(b"1.2.3", b"../../x", b"20261120", b"19000101", b"083000", b"245960.1", b"ISO_IR 192"),
    *(b"\\ISO 2022 IR 87", b"\x1b$B", b"\xff\xfe", b"<script>", b"a\nb", b"\0", b"", b"*", b"nan"),
    *(b"1" * 400, b"\\" * 400, b"x" * 5000, "Ünïcødé\u202e".encode()),
)


@st.composite
def spoilt(draw: Any, whole: bytes, most: int = 5) -> bytes:
    """`whole` with up to so many changes: bytes set, put in, taken out, repeated, or cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, min(600, len(data))) | st.integers(0, len(data)))
        size = draw(st.integers(1, 8) | st.integers(1, 2000))
        piece = draw(st.binary(min_size=1, max_size=8) | st.sampled_from(WORDS))
        change = draw(st.sampled_from(["set", "insert", "remove", "repeat", "cut"]))
        if change == "set":
            data[at : at + len(piece)] = piece
        elif change == "insert":
            data[at:at] = piece
        elif change == "remove":
            del data[at : at + size]
        elif change == "repeat":
            data[at:at] = data[at : at + size]
        else:
            del data[at:]
    return bytes(data)


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """A data element in explicit VR little endian; `length` is what it claims."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in LONG:
        return head + struct.pack("<HL", 0, size & 0xFFFFFFFF) + value
    return head + struct.pack("<H", size & 0xFFFF) + value


@st.composite
def elements(draw: Any, depth: int = 2) -> bytes:
    """A data set of attributes that are read here, of any VR and value."""
    tags = draw(st.lists(st.sampled_from(sorted(TAGS.values())), unique=True, max_size=12))
    return b"".join(draw(_any_element(tag, depth)) for tag in sorted(tags))


@st.composite
def _any_element(draw: Any, tag: int, depth: int) -> bytes:
    vr = draw(st.sampled_from(VRS))
    if vr == "SQ" and depth:
        items = draw(st.lists(elements(depth - 1), max_size=2))
        value = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(one)) + one for one in items)
    else:
        value = draw(st.sampled_from(WORDS) | st.binary(max_size=40))
    length = draw(st.none() | st.sampled_from([0, 1, 0xFFFF, 0xFFFFFFFF]))
    return element(tag, vr, value, length)


#: What a browser, or a file that somebody edited, can hold.
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


@st.composite
def altered(draw: Any, note: Any) -> Any:
    """A value of JSON's types in which some part was replaced, taken out or repeated."""
    if isinstance(note, dict) and note and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(note)))
        if draw(st.booleans()):
            return {**note, key: draw(altered(note[key]))}
        return {name: value for name, value in note.items() if name != key}
    if isinstance(note, list) and note and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(note) - 1))
        return [*note[:at], draw(altered(note[at])), *note[at + draw(st.integers(0, 2)) :]]
    return draw(json_values)
