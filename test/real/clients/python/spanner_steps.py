"""Takes the steps of spanner.test.ts with Google's Python client and prints what it saw as one line of JSON."""

import concurrent.futures
import datetime
import decimal
import json
import threading
import time

from google.api_core import exceptions
from google.cloud import spanner
from google.cloud.spanner_v1 import param_types
from google.cloud.spanner_v1.data_types import JsonObject

COLUMNS = ["Id", "Name", "Score", "Active", "Photo", "Day", "Born", "Price", "Doc", "Tags"]
LARGEST = 2**63 - 1
seen = {}


def create(client):
    instance = client.instance("python", f"{client.project_name}/instanceConfigs/emulator-config", "Python", node_count=1)
    instance.create().result(timeout=30)
    instance.reload()
    seen["instance"] = instance.display_name
    people = """CREATE TABLE People (Id INT64 NOT NULL, Name STRING(MAX), Score FLOAT64, Active BOOL, Photo BYTES(MAX), Day DATE,
        Born TIMESTAMP, Price NUMERIC, Doc JSON, Tags ARRAY<STRING(MAX)>,
        CommittedAt TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (Id)"""
    database = instance.database("clients", ddl_statements=[people])
    database.create().result(timeout=30)
    counters = "CREATE TABLE Counters (Id STRING(36) NOT NULL, Count INT64 NOT NULL) PRIMARY KEY (Id)"
    database.update_ddl([counters]).result(timeout=30)
    database.reload()
    seen["statements"] = len(database.ddl_statements)
    return instance, database


def person(id, name):
    return [
        id,
        name,
        float("inf") if id % 2 == 0 else 0.1,
        id % 2 == 0,
        b"AP8=",
        datetime.date(2001, 1, 1),
        "2001-01-01T00:00:00.123456789Z",
        decimal.Decimal("99999999999999999999999999999.999999999"),
        JsonObject({"a": 1}),
        ["x", None, ""],
        spanner.COMMIT_TIMESTAMP,
    ]


def write_and_read(database):
    def insert(transaction):
        transaction.insert("People", COLUMNS + ["CommittedAt"], [person(1, "Ada"), person(2, "l" * 2_621_440)])
        transaction.insert("People", ["Id"], [[LARGEST]])
        transaction.insert("Counters", ["Id", "Count"], [["c", 1]])
        return transaction

    transaction = database.run_in_transaction(insert)
    with database.snapshot() as snapshot:
        ada = list(snapshot.read("People", COLUMNS, spanner.KeySet(keys=[[1]])))[0]
    seen["row"] = [printed(value) for value in ada]
    with database.snapshot() as snapshot:
        committed = list(snapshot.read("People", ["CommittedAt"], spanner.KeySet(keys=[[1]])))[0][0]
    seen["commitTimestampKept"] = committed == transaction.committed
    with database.snapshot() as snapshot:
        seen["longText"] = len(list(snapshot.read("People", ["Name"], spanner.KeySet(keys=[[2]])))[0][0])
    with database.snapshot() as snapshot:
        empty = list(snapshot.read("People", COLUMNS, spanner.KeySet(keys=[[LARGEST]])))[0]
    seen["nulls"] = sum(value is None for value in empty)
    few = spanner.KeySet(keys=[[1]], ranges=[spanner.KeyRange(start_closed=[2], end_open=[LARGEST])])
    with database.snapshot() as snapshot:
        seen["keysRead"] = ids(snapshot.read("People", ["Id"], few))


def printed(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return value.rfc3339() if hasattr(value, "rfc3339") else str(value)


def ids(rows):
    return [str(row[0]) for row in rows]


def name_at(database, **bound):
    """The name of row 1; the code of the refusal where the table is younger than the timestamp."""
    try:
        with database.snapshot(**bound) as snapshot:
            rows = list(snapshot.read("People", ["Name"], spanner.KeySet(keys=[[1]])))
        return rows[0][0] if rows else None
    except exceptions.GoogleAPICallError as too_early:
        return too_early.grpc_status_code.name


def stale_read(database):
    """One second ago shows the row as soon as it is a second old, and keeps showing what it was then."""
    second = datetime.timedelta(seconds=1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and name_at(database, exact_staleness=second) != "Ada":
        time.sleep(0.05)
    with database.snapshot() as snapshot:
        rows = snapshot.read("People", ["Id"], spanner.KeySet(keys=[[1]]))
        list(rows)
        before = rows.metadata.transaction.read_timestamp
    with database.batch() as batch:
        batch.update("People", ["Id", "Name"], [[1, "Grace"]])
    seen["nameASecondAgo"] = name_at(database, exact_staleness=second)
    seen["nameBefore"] = name_at(database, read_timestamp=before)
    seen["nameNow"] = name_at(database)


def query(database):
    sql = """SELECT Id, @label AS Label FROM People
        WHERE Id IN UNNEST(@ids) AND Born >= @since AND Price > @price ORDER BY Id"""
    params = {
        "label": "found",
        "ids": [1, 2, 3],
        "since": datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc),
        "price": decimal.Decimal("0.5"),
    }
    types = {
        "label": param_types.STRING,
        "ids": param_types.Array(param_types.INT64),
        "since": param_types.TIMESTAMP,
        "price": param_types.NUMERIC,
    }
    with database.snapshot() as snapshot:
        seen["found"] = [f"{id} {label}" for id, label in snapshot.execute_sql(sql, params=params, param_types=types)]


def count_in(reader):
    return list(reader.read("Counters", ["Count"], spanner.KeySet(keys=[["c"]])))[0][0]


def add(transaction, much):
    transaction.update("Counters", ["Id", "Count"], [["c", count_in(transaction) + much]])


def conflict(database):
    """The second transaction commits between the first one's read and its commit, so the first must run twice."""
    attempts = []

    def first(transaction):
        count = count_in(transaction)
        attempts.append(count)
        if len(attempts) == 1:
            other = threading.Thread(target=database.run_in_transaction, args=(add, 10))
            other.start()
            other.join(30)
        transaction.update("Counters", ["Id", "Count"], [["c", count + 1]])

    database.run_in_transaction(first)
    seen["attempts"] = len(attempts)
    with database.snapshot() as snapshot:
        seen["count"] = count_in(snapshot)


def contend(database):
    """Four threads add to one row; whoever loses runs again, so nothing is lost."""
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: database.run_in_transaction(add, 1), range(16)))
    with database.snapshot() as snapshot:
        seen["contended"] = count_in(snapshot)


def refusals(database):
    def write(operation, id):
        with database.batch() as batch:
            getattr(batch, operation)("People", ["Id"], [[id]])

    def select(sql):
        with database.snapshot() as snapshot:
            list(snapshot.execute_sql(sql))

    def read(table):
        with database.snapshot() as snapshot:
            list(snapshot.read(table, ["Id"], spanner.KeySet(all_=True)))

    codes = []
    for attempt in [
        lambda: write("insert", 1),
        lambda: write("update", 404),
        lambda: select("SELECT Nothing FROM People"),
        lambda: read("Nobody"),
    ]:
        try:
            attempt()
            codes.append("OK")
        except exceptions.GoogleAPICallError as refused:
            codes.append(refused.grpc_status_code.name)
    seen["refusals"] = codes


def partitions(database):
    snapshot = database.batch_snapshot()
    found = []
    for batch in snapshot.generate_read_batches("People", ["Id"], spanner.KeySet(all_=True)):
        found += ids(snapshot.process(batch))
    snapshot.close()
    seen["partitioned"] = sorted(found)


def drop(client, instance, database):
    database.drop()
    instance.delete()
    seen["instancesLeft"] = len(list(client.list_instances()))


def main():
    client = spanner.Client(project="penstock-clients", disable_builtin_metrics=True)
    instance, database = create(client)
    write_and_read(database)
    stale_read(database)
    query(database)
    conflict(database)
    contend(database)
    refusals(database)
    partitions(database)
    drop(client, instance, database)
    print(json.dumps(seen))


main()
