"""Received instances on disk, shared by all processes.

An instance is written beside the archive, checked there, and renamed into it under its SOP Instance
UID. So each file in the archive is complete, and its existence is the proof that an image has
arrived. Paths are short: Windows allows 260 characters.

Durability. A process may be killed at any point. It leaves a file beside the archive, which is
removed when it is an hour old, or the folder of a set that nobody uses, which is pruned with the
others. Against a power cut each file is flushed to the disk (fsync) before it gets its name. That
costs 3 to 7 ms for an image of 3.3 MB on a solid state disk (one eighth of a fetch over loopback, a
quarter of the time on a gigabit network), and prevents two failures. Some file systems (NTFS, or
ext4 without ordered data) may otherwise restore a file in its full length with zeros for pixels,
which neither its header nor its size would show. And a disk that fails only when the data reach it
makes the fetch fail. The next instance arrives meanwhile: a C-STORE is answered when its file is
written and checked, and if the disk does not accept that file after all, the next C-STORE is
refused. Folders are not flushed: an image whose name a power cut loses is fetched again. Everything
else (the answer cache, and copies in the folders of sets where there are no hard links) is used for
an hour at most, and only if its length is unchanged.

A file's header is read again (:func:`read_checked`) before the file is used, unless the same
process has read the unchanged file before. A file that is empty, cut short or damaged is removed,
and the next retrieval fetches it again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from qatrack_aria.dicom.inbox import ReceivedInstance, UnacceptableInstance
from qatrack_aria.dicom.part10 import UnreadableError, read_file
from qatrack_aria.dicom.uids import valid_uid
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import ArchiveError
from qatrack_aria.phrases import phrase
from qatrack_aria.storage.filesystem import (
    disk_error,
    entries_older_than,
    make_private_folder,
    move_into_place,
    partial_file,
    remove_file,
)

PREAMBLE = b"\0" * 128 + b"DICM"
READ_ONLY = 0o400
#: Seconds after which an incomplete file belongs to a process that has died.
ABANDONED = 3600


class Archive:
    """The folder of received instances, and the folders beside it.

    Parameters
    ----------
    root : Path
        Created if it does not exist, accessible to its owner only.
    character_set : str
        Specific Character Set of files that name none.

    Raises
    ------
    ArchiveError
        The folder cannot be created.
    """

    def __init__(self, root: Path, character_set: str = "ISO_IR 192") -> None:
        self.root = root
        self._character_set = character_set
        self.instances = root / "instances"
        self.incoming = root / "incoming"
        self.sets = root / "sets"
        self.locks = root / "locks"
        self.answers = root / "answers"
        self.series = root / "series"
        make_private_folder(root, parents=True)
        folders = self.instances, self.incoming, self.sets, self.locks, self.answers, self.series
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
        return self.instances / hashlib.sha256(sop_uid.encode()).hexdigest()[:2] / f"{sop_uid}.dcm"

    def header(self, sop_uid: str, patient_id: str) -> Dataset | None:
        """Return the header of an instance, if the archive has it complete and it is the patient's.

        Parameters
        ----------
        sop_uid : str
            SOP Instance UID.
        patient_id : str
            Patient ID that it must have.

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
            return _read_cached(path, _state(path), sop_uid, patient_id, self._character_set)
        except (FileNotFoundError, UnacceptableInstance):
            return None
        except UnreadableError:
            # Damaged since it was filed: removed, so that it is fetched again.
            remove_file(path)
            return None
        except OSError as error:
            raise disk_error("read", path, error) from error

    def receive(self, incoming: ReceivedInstance, patient_id: str) -> PendingFile:
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
                _write(file, incoming)
                try:
                    header = read_checked(
                        partial, incoming.sop_uid, patient_id, self._character_set
                    )
                except UnreadableError as error:
                    raise UnacceptableInstance(phrase("damaged", error=str(error))) from error
                make_private_folder(path.parent)
                return PendingFile(header, file, partial, path, stack.pop_all())
        except OSError as error:
            raise disk_error("write", path, error) from error


class PendingFile:
    """A complete instance beside the archive, not filed yet.

    Attributes
    ----------
    header : Dataset
        As :meth:`Archive.header` returns it.
    """

    def __init__(
        self,
        header: Dataset,
        file: BinaryIO,
        partial: Path,
        path: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self.header = header
        self._file = file
        self._partial = partial
        self._path = path
        self._stack = stack  # closes the file, and removes it unless it was filed

    def commit(self) -> None:
        """Flush it to the disk, then move it into the archive.

        Raises
        ------
        ArchiveError
            It cannot be written to disk.
        """
        try:
            with self._stack:
                os.fsync(self._file.fileno())
                self._file.close()  # Windows renames no open file
                os.chmod(self._partial, READ_ONLY)
                move_into_place(self._partial, self._path)
        except OSError as error:
            raise disk_error("write", self._path, error) from error


def read_checked(
    path: Path, sop_uid: str, patient_id: str, character_set: str = "ISO_IR 192"
) -> Dataset:
    """Read a file's header, and check its SOP Instance UID and Patient ID.

    Raises
    ------
    UnacceptableInstance
        It is another instance, or another patient's; neither is named, for privacy.
    UnreadableError
        It is not a complete DICOM instance.
    OSError
        It cannot be read from disk.
    """
    ds = read_file(path, character_set)
    if text(ds, "SOPInstanceUID") != sop_uid:
        raise UnacceptableInstance(phrase("other_instance"))
    if text(ds, "PatientID") != patient_id:
        raise UnacceptableInstance(phrase("instance_of_other_patient"))
    return ds


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written to or replaced."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _read_cached(path: Path, state: tuple[int, ...], *expected: str) -> Dataset:
    """Call :func:`read_checked` once for each state of a file (1 ms each)."""
    return read_checked(path, *expected)


def _write(file: BinaryIO, incoming: ReceivedInstance) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(incoming.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(incoming.sop_uid)
    meta.TransferSyntaxUID = UID(incoming.transfer_syntax)
    file.write(PREAMBLE)
    write_file_meta_info(cast(Any, file), meta, enforce_standard=True)
    file.write(incoming.data)
    file.flush()
