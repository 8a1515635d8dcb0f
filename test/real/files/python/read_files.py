"""Reads the files of a feed as a training program would, with no word of ours: TFRecord by TensorFlow, Arrow by pyarrow,
safetensors by its own package. What lies in them is told by `_SUCCESS`. Prints every row's tensors as one line of JSON.

    read_files.py DIR      DIR is what the feed's `files.url` names, and the epoch below it
"""

import json
import os
import sys

import numpy

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

NUMPY = {"F64": "<f8", "I64": "<i8", "F32": "<f4", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def tfrecord(paths, tensors):
    import tensorflow

    def is_raw(tensor):
        return tensor["dtype"] == "F64" or (tensor["dtype"] == "U8" and tensor["shape"])

    def feature(tensor):
        if is_raw(tensor):
            return tensorflow.io.FixedLenFeature([], tensorflow.string)
        dtype = tensorflow.float32 if tensor["dtype"] == "F32" else tensorflow.int64
        return tensorflow.io.FixedLenFeature(tensor["shape"], dtype)

    features = {tensor["name"]: feature(tensor) for tensor in tensors}
    for examples in tensorflow.data.TFRecordDataset(paths).batch(64):
        parsed = tensorflow.io.parse_example(examples, features)
        columns = {}
        for tensor in tensors:
            values = parsed[tensor["name"]]
            if is_raw(tensor):
                raw = tensorflow.float64 if tensor["dtype"] == "F64" else tensorflow.uint8
                values = tensorflow.reshape(tensorflow.io.decode_raw(values, raw), [-1, *tensor["shape"]])
            columns[tensor["name"]] = values.numpy().astype(NUMPY[tensor["dtype"]])
        yield columns


def arrow(paths, tensors):
    import pyarrow

    for path in paths:
        with pyarrow.OSFile(path) as file, pyarrow.ipc.open_stream(file) as stream:
            table = stream.read_all()
        table.validate(full=True)
        columns = {}
        for tensor in tensors:
            column = table[tensor["name"]].combine_chunks()
            flat = column.flatten() if tensor["shape"] else column
            values = flat.to_numpy(zero_copy_only=False)
            if values.dtype != numpy.dtype(NUMPY[tensor["dtype"]]):
                raise TypeError(f"{tensor['name']} is {values.dtype}")
            columns[tensor["name"]] = values.reshape([-1, *tensor["shape"]])
        yield columns


def safetensors(paths, tensors):
    from safetensors import safe_open

    for path in paths:
        with safe_open(path, framework="numpy") as file:
            columns = {tensor["name"]: file.get_tensor(tensor["name"]) for tensor in tensors}
        for tensor in tensors:
            values = columns[tensor["name"]]
            if values.dtype != numpy.dtype(NUMPY[tensor["dtype"]]) or list(values.shape[1:]) != tensor["shape"]:
                raise TypeError(f"{tensor['name']} is {values.dtype} of {values.shape}")
        yield columns


def plain(value):
    """JSON has no 64-bit integers: all that is whole is a text of digits."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, float) else str(int(value))


def main():
    (directory,) = sys.argv[1:]
    with open(os.path.join(directory, "_SUCCESS"), encoding="utf8") as file:
        success = json.load(file)
    paths = [os.path.join(directory, file["name"]) for file in success["files"]]
    read = {"tfrecord": tfrecord, "arrow": arrow, "safetensors": safetensors}[success["format"]]
    rows = []
    for columns in read(paths, success["tensors"]):
        lists = {name: values.tolist() for name, values in columns.items()}
        for at in range(len(next(iter(lists.values())))):
            rows.append({name: plain(values[at]) for name, values in lists.items()})
    print(json.dumps(rows, separators=(",", ":")))


main()
