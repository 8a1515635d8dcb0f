"""Trains a small network in Keras from the TFRecord files of a feed, one role to learn from and one to judge by. Prints
losses as one line of JSON.

    train_files.py DIR
"""

import glob
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow  # noqa: E402

FEATURES = {
    "half": tensorflow.io.FixedLenFeature([], tensorflow.float32),
    "month": tensorflow.io.FixedLenFeature([12], tensorflow.float32),
    "label": tensorflow.io.FixedLenFeature([], tensorflow.float32),
}


def batches(directory, role):
    paths = sorted(glob.glob(os.path.join(directory, role, "*.tfrecord")))
    examples = tensorflow.data.TFRecordDataset(paths).batch(32)
    parsed = examples.map(lambda texts: tensorflow.io.parse_example(texts, FEATURES))
    return parsed.map(lambda row: (tensorflow.concat([row["half"][:, None] / 40.0 - 1.0, row["month"]], 1), row["label"]))


def main():
    (directory,) = sys.argv[1:]
    tensorflow.keras.utils.set_random_seed(7)
    model = tensorflow.keras.Sequential([tensorflow.keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=tensorflow.keras.optimizers.Adam(0.05), loss="binary_crossentropy")
    held_out = batches(directory, "evaluate")
    before = model.evaluate(held_out, verbose=0)
    model.fit(batches(directory, "train"), epochs=40, verbose=0)
    print(json.dumps({"before": before, "after": model.evaluate(held_out, verbose=0)}))


main()
