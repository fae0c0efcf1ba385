"""Received instances on disk, shared by all processes.

An instance is written beside the archive, checked there, and renamed into it under its SOP Instance
UID, in a folder of the node that it came from. So each file in the archive is complete, and is
handed over only as an image of that node. Paths are short: Windows allows 260 characters.

Proof. The digests of an instance are recorded beside it (:mod:`qatrack_aria.storage.digests`) and
compared whenever it is used: those of its beginning when its header is read, those of all of it
when it is handed over (:meth:`Archive.copy`). A file without its digests counts as absent; one that
differs from them is removed. The next retrieval fetches it again.

Durability. A process may be killed at any point. It leaves a file beside the archive, which is
removed when it is an hour old, or the folder of a set that nobody uses, which is pruned with the
others. Against a power cut each file is flushed to the disk (fsync) before it gets its name. That
costs 3 to 7 ms for an image of 3.3 MB on a solid state disk (one eighth of a fetch over loopback, a
quarter of the time on a gigabit network), and prevents two failures. Some file systems (NTFS, or
ext4 without ordered data) may otherwise restore a file in its full length with zeros for pixels,
which neither its header nor its size would show. And a disk that fails only when the data reach it
makes the fetch fail. The next instance arrives meanwhile: a C-STORE is answered when its file is
written and checked, and if the disk does not accept that file after all, the next C-STORE is
refused. Neither folders nor the records of the digests are flushed: an image that loses its name or
its record by a power cut is fetched again. The answers and the folders of sets are used for an hour
at most, and only if they are unchanged.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import math
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataset import Dataset

from qatrack_aria.dicom.expected import CLASSES, require_expected
from qatrack_aria.dicom.inbox import ReceivedInstance, UnacceptableInstance
from qatrack_aria.dicom.part10 import UnreadableError, read_file, same_content, start_of_file
from qatrack_aria.dicom.uids import valid_uid
from qatrack_aria.errors import ArchiveError
from qatrack_aria.phrases import phrase
from qatrack_aria.storage import copying, digests
from qatrack_aria.storage.digests import Digests
from qatrack_aria.storage.filesystem import (
    disk_error,
    entries_older_than,
    make_private_folder,
    now_on_disk,
    partial_file,
    remove_file,
)
from qatrack_aria.storage.pending_file import PendingFile

#: Characters of the name of a node's folder; former versions had folders of two.
NODE_DIGITS = 12
#: Seconds after which an incomplete file belongs to a process that has died.
ABANDONED = 3600


class Archive:
    """The instances received from one node, and the folders that all nodes share.

    Parameters
    ----------
    root : Path
        Created if it does not exist, accessible to its owner only.
    character_set : str
        Specific Character Set of files that name none.
    node : str
        The node's name. Instances that came through another are not found.
    source : str, optional
        The service that the node stands for (:attr:`AriaNode.source`). Headers of instances that
        came from another are not believed; by default those of any are.

    Raises
    ------
    ArchiveError
        The folder cannot be created.
    """

    def __init__(
        self,
        root: Path,
        character_set: str = "ISO_IR 192",
        node: str = "",
        source: str | None = None,
    ) -> None:
        self.root = root
        self._of_node = digests.digest_of_text(node)[:NODE_DIGITS]
        self._source = source
        self.character_set = character_set
        self.instances = root / "instances"
        self.incoming = root / "incoming"
        self.sets = root / "sets"
        self.locks = root / "locks"
        self.answers = root / "answers"
        self.results = root / "results"
        self.known = root / "known" / self._of_node
        make_private_folder(root, parents=True)
        folders = self.instances, self.incoming, self.sets, self.locks, self.answers
        for folder in folders:
            make_private_folder(folder)
        for abandoned in entries_older_than(self.incoming, ABANDONED):
            remove_file(abandoned)

    def path(self, sop_uid: str) -> Path:
        """Return the path of the instance with that SOP Instance UID, whether it exists or not.

        Raises
        ------
        ArchiveError
            It is not a UID, and so not a safe file name.
        """
        if not valid_uid(sop_uid):
            raise ArchiveError(
                f"Archive: {sop_uid[:70]!r} is not a SOP Instance UID; nothing was filed."
            )
        # 256 folders keep each listing short; the first digits of all UIDs are alike.
        group = digests.digest_of_text(sop_uid)[:2]
        return self.instances / self._of_node / group / f"{sop_uid}.dcm"

    def header(
        self, sop_uid: str, patient_id: str, classes: tuple[str, ...] = CLASSES
    ) -> Dataset | None:
        """Return the header of an instance, if the archive has it complete and it is the patient's.

        Parameters
        ----------
        sop_uid : str
            SOP Instance UID.
        patient_id, classes : str, tuple of str
            Patient ID that it must have, and the SOP classes of which it must be.

        Returns
        -------
        Dataset or None
            The attributes that :mod:`qatrack_aria.dicom.attributes` reads; ``None`` if the
            instance has to be fetched.
        """
        if not valid_uid(sop_uid):
            return None
        path = self.path(sop_uid)
        try:
            state, known = _state(path), digests.recorded(path)
            if known is None or not self._is_from_source(known):
                return None
            expected = sop_uid, patient_id, self.character_set, classes
            return _read_proved(path, state, known, *expected)
        except (FileNotFoundError, UnacceptableInstance):
            return None
        except UnreadableError:
            self.discard(sop_uid)  # damaged since it was filed
            return None
        except OSError as error:
            raise disk_error("read", path, error) from error

    def content(self, sop_uid: str) -> bytes | None:
        """Return an instance as it was filed (PS3.10); ``None`` if it has to be fetched.

        Raises
        ------
        ArchiveError
            The disk does not return it.
        """
        path, known = self.path(sop_uid), self.digest(sop_uid)
        try:
            content = path.read_bytes() if known else b""
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error("read", path, error) from error
        if known and hashlib.sha256(content).hexdigest() == known:
            return content
        self.discard(sop_uid)
        return None

    def age(self, sop_uid: str) -> float:
        """Return how many seconds ago an instance was filed; infinite if it is not here."""
        try:
            filed = self.path(sop_uid).stat().st_mtime
            return now_on_disk(self.incoming) - filed
        except OSError:
            return math.inf

    def holds(self, incoming: ReceivedInstance) -> bool:
        """Return whether the instance of that UID in the archive has the same content.

        Raises
        ------
        ArchiveError
            The disk does not return it.
        """
        path, file = self.path(incoming.sop_uid), io.BytesIO()
        _write(file, incoming)
        try:
            filed = path.read_bytes()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_error("read", path, error) from error
        return filed == file.getvalue() or same_content(filed, file.getvalue())

    def digest(self, sop_uid: str) -> str | None:
        """Return the SHA-256 of an instance as it was filed; ``None`` if it is not here.

        Raises
        ------
        ArchiveError
            The disk does not return it.
        """
        path = self.path(sop_uid)
        try:
            known = digests.recorded(path)
            return known.file if known and path.exists() else None
        except OSError as error:
            raise disk_error("read", path, error) from error

    def copy(self, sop_uid: str, target: Path) -> str | None:
        """Copy an instance as it was filed; one that is damaged is removed instead.

        Returns
        -------
        str or None
            Its SHA-256; ``None`` if the instance has to be fetched again.

        Raises
        ------
        OSError
            The disk does not return it, or does not take the copy.
        """
        path = self.path(sop_uid)
        known = digests.recorded(path)
        if known is None:
            return None
        try:
            digest = copying.copy(path, target)
        except FileNotFoundError:
            if target.parent.exists():
                return None
            raise
        if digest == known.file:
            return digest
        remove_file(target)
        self.discard(sop_uid)
        return None

    def _is_from_source(self, known: Digests) -> bool:
        return self._source is None or known.source == digests.digest_of_text(self._source)

    def discard(self, sop_uid: str) -> None:
        """Remove an instance that is not as it was filed, so that it is fetched again."""
        path = self.path(sop_uid)
        remove_file(path)
        remove_file(digests.beside(path))

    def receive(
        self, incoming: ReceivedInstance, patient_id: str, classes: tuple[str, ...] = CLASSES
    ) -> PendingFile:
        """Write a received instance beside the archive, and check it.

        :meth:`PendingFile.commit` then files it. That is mostly waiting for the disk, and may run
        while the next instance arrives.

        Raises
        ------
        UnacceptableInstance
            It is not readable, not complete, or not what the C-STORE request announced.
        ArchiveError
            It cannot be written to disk.
        """
        path = self.path(incoming.sop_uid)
        if not (valid_uid(incoming.sop_class) and valid_uid(incoming.transfer_syntax)):
            raise UnacceptableInstance(phrase("no_class"))
        try:
            with contextlib.ExitStack() as stack:
                partial = stack.enter_context(partial_file(self.incoming))
                file = stack.enter_context(open(partial, "wb"))
                start = _write(file, incoming)
                try:
                    header = read_checked(
                        partial, incoming.sop_uid, patient_id, self.character_set, classes
                    )
                except UnreadableError as error:
                    raise UnacceptableInstance(phrase("damaged", error=str(error))) from error
                for folder in (path.parent.parent, path.parent):
                    make_private_folder(folder)
                record = stack.enter_context(partial_file(self.incoming))
                digests.reserve(record, path)
                parts, source = (start, incoming.data), self._source or ""
                return PendingFile(
                    header, file, partial, record, parts, source, path, stack.pop_all()
                )
        except OSError as error:
            raise disk_error("write", path, error) from error


def read_checked(
    path: Path,
    sop_uid: str,
    patient_id: str,
    character_set: str = "ISO_IR 192",
    classes: tuple[str, ...] = CLASSES,
) -> Dataset:
    """Read a file's header, and check that it is what was requested.

    Raises
    ------
    UnacceptableInstance
        It is not (:func:`qatrack_aria.dicom.expected.require_expected`).
    UnreadableError
        It is not a complete DICOM instance.
    OSError
        It cannot be read from disk.
    """
    ds = read_file(path, character_set)
    require_expected(ds, sop_uid, patient_id, classes)
    return ds


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written to or replaced."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _read_proved(path: Path, state: tuple[int, ...], known: Digests, *expected: Any) -> Dataset:
    """Read and check a header once for each state of a file (2 ms each)."""
    if digests.beginning_of(path) != known.beginning:
        raise UnreadableError("it is not as it was filed")
    return read_checked(path, *expected)


def _write(file: BinaryIO, incoming: ReceivedInstance) -> bytes:
    """Write an instance as a file (PS3.10), and return what stands before its data set."""
    start = start_of_file(incoming.sop_class, incoming.sop_uid, incoming.transfer_syntax)
    file.write(start)
    file.write(incoming.data)
    file.flush()
    return start
