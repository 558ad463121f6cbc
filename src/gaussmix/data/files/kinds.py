"""Which kind of file it is, by its first bytes."""

from gaussmix.data.files.filebytes import FileBytes
from gaussmix.data.files.npyfile import NpySource
from gaussmix.data.files.parquetfile import ParquetSource
from gaussmix.data.files.sources import FileSource, IpcSource
from gaussmix.data.files.textfile import TextSource
from gaussmix.errors import DataError

NPY_MAGIC = b"\x93NUMPY"


def opened_source(content: FileBytes) -> FileSource:
    """A file as the kind that its first bytes say.

    Raises
    ------
    DataError
        If it cannot be read as that.
    """
    magic = content.magic
    if not magic:
        raise DataError(f"{content.path}: the file is empty")
    if magic.startswith(b"PAR1"):
        return ParquetSource(content)
    if magic.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return IpcSource(content)
    if magic.startswith(NPY_MAGIC):
        return NpySource(content)
    return TextSource(content)
