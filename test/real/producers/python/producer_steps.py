"""Produces with librdkafka, as Confluent's Python client wraps it, in each compression: plainly, and in transactions of
which every third is aborted. Prints how many records count as one line of JSON."""

import json
import os

from confluent_kafka import Producer

TOPIC = "python-made"
RECORDS = 400
TRANSACTIONS = 9
IN_TRANSACTION = 50


def producer(**settings):
    return Producer(
        {
            "bootstrap.servers": os.environ["KAFKA_BROKERS"],
            "enable.idempotence": True,
            "linger.ms": 20,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )


def send(to, key, n):
    def told(error, _message):
        if error is not None:
            raise RuntimeError(error)

    value = json.dumps({"n": n, "text": "tü€😀" * (n % 50)}, ensure_ascii=n % 2 == 0)
    to.produce(TOPIC, key=key, value=value.encode(), on_delivery=told)
    to.poll(0)


def main():
    counted = 0
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"]:
        plain = producer(compression_type=compression)
        for n in range(RECORDS):
            send(plain, f"{compression}-{n}", n)
        plain.flush()
        counted += RECORDS
        transactional = producer(compression_type=compression, transactional_id=f"python-{compression}")
        transactional.init_transactions()
        for transaction in range(TRANSACTIONS):
            transactional.begin_transaction()
            aborts = transaction % 3 == 1
            name = "aborted" if aborts else "transacted"
            for n in range(IN_TRANSACTION):
                send(transactional, f"{compression}-{name}-{transaction}-{n}", n)
            transactional.flush()
            if aborts:
                transactional.abort_transaction()
            else:
                transactional.commit_transaction()
                counted += IN_TRANSACTION
    print(json.dumps({"counted": counted}))


main()
