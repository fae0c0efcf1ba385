"""Received instances on disk: the meeting place of all processes.

An instance is written beside the archive, checked there, and renamed into it under its
SOP Instance UID. What is in the archive is therefore whole, and whoever waits for an image waits
for its file. Paths are short: Windows ends at 260 characters.

Durability. A process may be killed at any point: what it leaves is a file beside the archive,
which is swept away when it is an hour old, or the folder of a set that nobody is told of, which is
pruned with the others. Against a power cut each file is flushed to the disk (fsync) before it gets
its name. That costs 3 to 7 ms for an image of 3.3 MB on a solid state disk (one eighth of a fetch
over loopback, a quarter of the time that the image needs on a gigabit network), and buys two
things. No file can come back in its full length with zeros for pixels, as some file systems (NTFS,
or ext4 without ordered data) may leave it, which no look at its header and its size would show.
And a disk that fails only when the data reach it fails the fetch. While it works the next
instance may come: a C-STORE is answered once its file is written and looked at, and where the disk
does not take that file after all, the next C-STORE is refused. Folders are not flushed: a name that
a power cut loses is an image that is fetched once more. All else (notes, and the copies in the
folders of sets where there are no hard links) is not worth the time: it is believed for an hour at
most, and only if it is as long as it was.

Whoever takes a file out reads its header again (:func:`read_checked`), unless the same process has
done so and the file is as it was. One that is empty, cut short or garbage, by whatever mishap, is
removed, and the next transfer brings it anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
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
    make_private_folder,
    move_into_place,
    partial_file,
    remove_file,
)

PREAMBLE = b"\0" * 128 + b"DICM"
READ_ONLY = 0o400
#: Seconds after which a file still being written belongs to a process that died.
ABANDONED = 3600


class Archive:
    """The folder of received instances, and what else lives beside them.

    Parameters
    ----------
    root : Path
        Made if it is not there, readable by its owner only.
    character_set : str
        Specific Character Set of files that do not say.

    Raises
    ------
    ArchiveError
        The folder cannot be made.
    """

    def __init__(self, root: Path, character_set: str = "ISO_IR 192") -> None:
        self.root = root
        self._character_set = character_set
        self.instances = root / "instances"
        self.incoming = root / "incoming"
        self.sets = root / "sets"
        self.locks = root / "locks"
        self.answers = root / "answers"
        make_private_folder(root, parents=True)
        for folder in (self.instances, self.incoming, self.sets, self.locks, self.answers):
            make_private_folder(folder)
        self._forget_abandoned()

    def path(self, sop_uid: str) -> Path:
        """Where the instance of that SOP Instance UID lies, or would lie.

        Raises
        ------
        ArchiveError
            It is no UID, and so no file name.
        """
        if not valid_uid(sop_uid):
            raise ArchiveError(
                f"Archive: {sop_uid[:70]!r} is no SOP Instance UID; nothing was filed."
            )
        # 256 folders keep each listing short; a UID's own first digits are all alike.
        return self.instances / hashlib.sha256(sop_uid.encode()).hexdigest()[:2] / f"{sop_uid}.dcm"

    def header(self, sop_uid: str, patient_id: str) -> Dataset | None:
        """The header of an instance that is here whole, and is that patient's.

        Parameters
        ----------
        sop_uid : str
            SOP Instance UID.
        patient_id : str
            Patient ID that it must have.

        Returns
        -------
        Dataset or None
            What :mod:`qatrack_aria.dicom.attributes` reads; ``None`` if it has to be fetched.
        """
        if not valid_uid(sop_uid):
            return None
        path = self.path(sop_uid)
        try:
            return _checked_before(path, _state(path), sop_uid, patient_id, self._character_set)
        except (FileNotFoundError, UnacceptableInstance):
            return None
        except UnreadableError:
            # Damaged since it was filed: out of the way, so that the next transfer heals it.
            remove_file(path)
            return None
        except OSError as error:
            raise disk_error("read", path, error) from error

    def receive(self, incoming: ReceivedInstance, patient_id: str) -> PendingFile:
        """Write an instance that came from the network beside the archive, and check it.

        :meth:`PendingFile.commit` then files it. That is mostly waiting for the disk, and may be
        done while the next instance arrives.

        Raises
        ------
        UnacceptableInstance
            It is not readable, not whole, or not what it was announced as.
        ArchiveError
            The disk did not take it.
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

    def _forget_abandoned(self) -> None:
        limit = time.time() - ABANDONED
        with contextlib.suppress(OSError):  # tidying up never fails a fetch
            for path in list(self.incoming.iterdir()):
                with contextlib.suppress(OSError):  # gone: another process tidies up too
                    if path.stat().st_mtime < limit:
                        remove_file(path)


class PendingFile:
    """An instance that lies beside the archive, whole, and has yet to get its name there.

    Attributes
    ----------
    header : Dataset
        As :meth:`Archive.header` gives it.
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
        self._stack = stack  # closes the file, and removes it if it is still where it was written

    def commit(self) -> None:
        """Have the disk keep it, then give it its name.

        Raises
        ------
        ArchiveError
            The disk did not take it.
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
    """Read a file's header and make sure of whose and which it is.

    Raises
    ------
    UnacceptableInstance
        Another instance, or another patient's; neither is named, both may be secrets.
    UnreadableError
        Not a whole DICOM instance.
    OSError
        The disk did not give it.
    """
    ds = read_file(path, character_set)
    if text(ds, "SOPInstanceUID") != sop_uid:
        raise UnacceptableInstance(phrase("other_instance"))
    if text(ds, "PatientID") != patient_id:
        raise UnacceptableInstance(phrase("instance_of_other_patient"))
    return ds


def _state(path: Path) -> tuple[int, ...]:
    """What differs once a file has been written to, or replaced."""
    is_now = path.stat()
    return is_now.st_ino, is_now.st_size, is_now.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _checked_before(path: Path, state: tuple[int, ...], *whose: str) -> Dataset:
    """:func:`read_checked`, unless this process has read just that file before (1 ms each)."""
    return read_checked(path, *whose)


def _write(file: BinaryIO, incoming: ReceivedInstance) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(incoming.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(incoming.sop_uid)
    meta.TransferSyntaxUID = UID(incoming.transfer_syntax)
    file.write(PREAMBLE)
    write_file_meta_info(cast(Any, file), meta, enforce_standard=True)
    file.write(incoming.data)
    file.flush()
