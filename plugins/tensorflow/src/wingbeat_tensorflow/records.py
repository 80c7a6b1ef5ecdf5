"""Files of TFRecords as values: `TFRecord` is a `File` of that format, which any task may make or read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from wingbeat.types import File, Format
from wingbeat_tensorflow.wrapper import import_tensorflow

TFRecord: TypeAlias = Annotated[File, Format("tfrecord")]
"""A file of records. Equal records in equal order are equal bytes."""


def write_records(path: str | os.PathLike[str], rows: Iterable[Any], *, compression: str = "") -> File:
    """Write records to a file.

    Args:
        rows: Bytes; messages such as `tf.train.Example`, which are serialized; or a `tf.data.Dataset` of serialized ones.

        compression: ``GZIP`` or ``ZLIB``; whoever reads has to say the same.
    """
    tf = import_tensorflow()
    with tf.io.TFRecordWriter(os.fspath(path), compression) as writer:
        for row in rows.as_numpy_iterator() if isinstance(rows, tf.data.Dataset) else rows:
            writer.write(row if isinstance(row, bytes) else row.SerializeToString(deterministic=True))
    return File(path)


def records(*files: File, compression: str = "") -> Any:
    """The records of files, in order, as a `tf.data.Dataset` of serialized ones; they are read when it is used."""
    tf = import_tensorflow()
    return tf.data.TFRecordDataset([str(file.path()) for file in files], compression_type=compression)
