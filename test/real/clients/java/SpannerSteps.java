import com.google.cloud.ByteArray;
import com.google.cloud.Date;
import com.google.cloud.Timestamp;
import com.google.cloud.spanner.BatchClient;
import com.google.cloud.spanner.BatchReadOnlyTransaction;
import com.google.cloud.spanner.DatabaseAdminClient;
import com.google.cloud.spanner.DatabaseClient;
import com.google.cloud.spanner.DatabaseId;
import com.google.cloud.spanner.InstanceConfigId;
import com.google.cloud.spanner.InstanceId;
import com.google.cloud.spanner.InstanceInfo;
import com.google.cloud.spanner.Key;
import com.google.cloud.spanner.KeyRange;
import com.google.cloud.spanner.KeySet;
import com.google.cloud.spanner.Mutation;
import com.google.cloud.spanner.Partition;
import com.google.cloud.spanner.PartitionOptions;
import com.google.cloud.spanner.ReadContext;
import com.google.cloud.spanner.ResultSet;
import com.google.cloud.spanner.Spanner;
import com.google.cloud.spanner.SpannerException;
import com.google.cloud.spanner.SpannerOptions;
import com.google.cloud.spanner.Statement;
import com.google.cloud.spanner.Struct;
import com.google.cloud.spanner.TimestampBound;
import com.google.cloud.spanner.TransactionRunner;
import com.google.cloud.spanner.Value;
import com.google.gson.Gson;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Takes the steps of spanner.test.ts with Google's Java client and prints what it saw as one line of JSON. */
public final class SpannerSteps {
  private static final List<String> COLUMNS =
      Arrays.asList("Id", "Name", "Score", "Active", "Photo", "Day", "Born", "Price", "Doc", "Tags");
  private static final Map<String, Object> seen = new LinkedHashMap<>();

  public static void main(String[] arguments) throws Exception {
    SpannerOptions options = SpannerOptions.newBuilder().setProjectId("penstock-clients").build();
    try (Spanner spanner = options.getService()) {
      DatabaseId id = create(spanner);
      DatabaseClient client = spanner.getDatabaseClient(id);
      writeAndRead(client);
      staleRead(client);
      query(client);
      conflict(client);
      contend(client);
      refusals(client);
      partitions(spanner.getBatchClient(id));
      drop(spanner, id);
    }
    System.out.println(new Gson().toJson(seen));
  }

  private static DatabaseId create(Spanner spanner) throws Exception {
    InstanceId instance = InstanceId.of("penstock-clients", "java");
    InstanceInfo info =
        InstanceInfo.newBuilder(instance)
            .setDisplayName("Java")
            .setNodeCount(1)
            .setInstanceConfigId(InstanceConfigId.of("penstock-clients", "emulator-config"))
            .build();
    seen.put("instance", spanner.getInstanceAdminClient().createInstance(info).get().getDisplayName());
    DatabaseAdminClient admin = spanner.getDatabaseAdminClient();
    String people =
        "CREATE TABLE People (Id INT64 NOT NULL, Name STRING(MAX), Score FLOAT64, Active BOOL, Photo BYTES(MAX), Day DATE,"
            + " Born TIMESTAMP, Price NUMERIC, Doc JSON, Tags ARRAY<STRING(MAX)>,"
            + " CommittedAt TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (Id)";
    admin.createDatabase("java", "clients", Arrays.asList(people)).get();
    String counters = "CREATE TABLE Counters (Id STRING(36) NOT NULL, Count INT64 NOT NULL) PRIMARY KEY (Id)";
    admin.updateDatabaseDdl("java", "clients", Arrays.asList(counters), null).get();
    seen.put("statements", admin.getDatabaseDdl("java", "clients").size());
    return DatabaseId.of(instance, "clients");
  }

  private static Mutation person(long id, String name) {
    return Mutation.newInsertBuilder("People")
        .set("Id").to(id)
        .set("Name").to(name)
        .set("Score").to(id % 2 == 0 ? Double.POSITIVE_INFINITY : 0.1)
        .set("Active").to(id % 2 == 0)
        .set("Photo").to(ByteArray.copyFrom(new byte[] {0, (byte) 0xff}))
        .set("Day").to(Date.parseDate("2001-01-01"))
        .set("Born").to(Timestamp.parseTimestamp("2001-01-01T00:00:00.123456789Z"))
        .set("Price").to(new BigDecimal("99999999999999999999999999999.999999999"))
        .set("Doc").to(Value.json("{\"a\": 1}"))
        .set("Tags").toStringArray(Arrays.asList("x", null, ""))
        .set("CommittedAt").to(Value.COMMIT_TIMESTAMP)
        .build();
  }

  private static void writeAndRead(DatabaseClient client) {
    TransactionRunner runner = client.readWriteTransaction();
    runner.run(
        transaction -> {
          transaction.buffer(
              Arrays.asList(
                  person(1, "Ada"),
                  person(2, "l".repeat(2_621_440)),
                  Mutation.newInsertBuilder("People").set("Id").to(Long.MAX_VALUE).build(),
                  Mutation.newInsertBuilder("Counters").set("Id").to("c").set("Count").to(1).build()));
          return null;
        });
    Struct ada = client.singleUse().readRow("People", Key.of(1), COLUMNS);
    List<String> printed = new ArrayList<>();
    for (int i = 0; i < COLUMNS.size(); i++) printed.add(print(ada.getValue(i)));
    seen.put("row", printed);
    Struct committed = client.singleUse().readRow("People", Key.of(1), List.of("CommittedAt"));
    seen.put("commitTimestampKept", committed.getTimestamp(0).equals(runner.getCommitTimestamp()));
    seen.put("longText", client.singleUse().readRow("People", Key.of(2), List.of("Name")).getString(0).length());
    Struct empty = client.singleUse().readRow("People", Key.of(Long.MAX_VALUE), COLUMNS);
    seen.put("nulls", COLUMNS.stream().filter(empty::isNull).count());
    KeySet few = KeySet.newBuilder().addRange(KeyRange.closedOpen(Key.of(2), Key.of(Long.MAX_VALUE))).addKey(Key.of(1)).build();
    seen.put("keysRead", ids(client.singleUse().read("People", few, List.of("Id"))));
  }

  private static String print(Value value) {
    switch (value.getType().getCode()) {
      case BYTES: return value.getBytes().toBase64();
      case ARRAY: return new Gson().toJson(value.getStringArray());
      case JSON: return value.getJson();
      case NUMERIC: return value.getNumeric().toPlainString();
      default: return value.getAsString();
    }
  }

  private static List<String> ids(ResultSet rows) {
    List<String> ids = new ArrayList<>();
    try (rows) {
      while (rows.next()) ids.add(Long.toString(rows.getLong(0)));
    }
    return ids;
  }

  /** One second ago shows the row as soon as it is a second old, and keeps showing what it was then. */
  private static void staleRead(DatabaseClient client) throws Exception {
    TimestampBound aSecondAgo = TimestampBound.ofExactStaleness(1, TimeUnit.SECONDS);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (System.nanoTime() < deadline && !"Ada".equals(nameAt(client, aSecondAgo))) Thread.sleep(50);
    Timestamp before = readTimestamp(client);
    client.write(Arrays.asList(Mutation.newUpdateBuilder("People").set("Id").to(1).set("Name").to("Grace").build()));
    seen.put("nameASecondAgo", nameAt(client, aSecondAgo));
    seen.put("nameBefore", nameAt(client, TimestampBound.ofReadTimestamp(before)));
    seen.put("nameNow", nameAt(client, TimestampBound.strong()));
  }

  private static Timestamp readTimestamp(DatabaseClient client) {
    try (var transaction = client.readOnlyTransaction()) {
      transaction.readRow("People", Key.of(1), List.of("Id"));
      return transaction.getReadTimestamp();
    }
  }

  private static String nameAt(DatabaseClient client, TimestampBound bound) {
    try {
      Struct row = client.singleUse(bound).readRow("People", Key.of(1), List.of("Name"));
      return row == null ? null : row.getString(0);
    } catch (SpannerException tooEarly) {
      // The table may be younger than the timestamp.
      return tooEarly.getErrorCode().name();
    }
  }

  private static void query(DatabaseClient client) {
    Statement statement =
        Statement.newBuilder(
                "SELECT Id, @label AS Label FROM People WHERE Id IN UNNEST(@ids) AND Born >= @since AND Price > @price ORDER BY Id")
            .bind("label").to("found")
            .bind("ids").toInt64Array(new long[] {1, 2, 3})
            .bind("since").to(Timestamp.parseTimestamp("2001-01-01T00:00:00Z"))
            .bind("price").to(new BigDecimal("0.5"))
            .build();
    List<String> found = new ArrayList<>();
    try (ReadContext context = client.singleUse(); ResultSet rows = context.executeQuery(statement)) {
      while (rows.next()) found.add(rows.getLong("Id") + " " + rows.getString("Label"));
    }
    seen.put("found", found);
  }

  /** The second transaction commits between the first one's read and its commit, so the first must run twice. */
  private static void conflict(DatabaseClient client) throws Exception {
    ExecutorService other = Executors.newSingleThreadExecutor();
    AtomicInteger attempts = new AtomicInteger();
    client.readWriteTransaction().run(
        transaction -> {
          long count = transaction.readRow("Counters", Key.of("c"), List.of("Count")).getLong(0);
          if (attempts.incrementAndGet() == 1) other.submit(() -> add(client, 10)).get();
          transaction.buffer(Mutation.newUpdateBuilder("Counters").set("Id").to("c").set("Count").to(count + 1).build());
          return null;
        });
    other.shutdown();
    seen.put("attempts", attempts.get());
    seen.put("count", client.singleUse().readRow("Counters", Key.of("c"), List.of("Count")).getLong(0));
  }

  /** Four threads add to one row; whoever loses runs again, so nothing is lost. */
  private static void contend(DatabaseClient client) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    List<Callable<Object>> additions = new ArrayList<>();
    for (int i = 0; i < 16; i++) additions.add(() -> add(client, 1));
    try {
      for (Future<Object> added : threads.invokeAll(additions)) added.get();
    } finally {
      threads.shutdown();
    }
    seen.put("contended", client.singleUse().readRow("Counters", Key.of("c"), List.of("Count")).getLong(0));
  }

  private static Object add(DatabaseClient client, long much) {
    return client.readWriteTransaction().run(
        transaction -> {
          long count = transaction.readRow("Counters", Key.of("c"), List.of("Count")).getLong(0);
          transaction.buffer(Mutation.newUpdateBuilder("Counters").set("Id").to("c").set("Count").to(count + much).build());
          return null;
        });
  }

  private static void refusals(DatabaseClient client) {
    List<String> codes = new ArrayList<>();
    List<Runnable> attempts =
        Arrays.asList(
            () -> client.write(Arrays.asList(Mutation.newInsertBuilder("People").set("Id").to(1).build())),
            () -> client.write(Arrays.asList(Mutation.newUpdateBuilder("People").set("Id").to(404).build())),
            () -> ids(client.singleUse().executeQuery(Statement.of("SELECT Nothing FROM People"))),
            () -> ids(client.singleUse().read("Nobody", KeySet.all(), List.of("Id"))));
    for (Runnable attempt : attempts) {
      try {
        attempt.run();
        codes.add("OK");
      } catch (SpannerException refused) {
        codes.add(refused.getErrorCode().name());
      }
    }
    seen.put("refusals", codes);
  }

  private static void partitions(BatchClient client) {
    List<String> found = new ArrayList<>();
    try (BatchReadOnlyTransaction transaction = client.batchReadOnlyTransaction(TimestampBound.strong())) {
      List<Partition> parts =
          transaction.partitionRead(PartitionOptions.getDefaultInstance(), "People", KeySet.all(), List.of("Id"));
      for (Partition part : parts) found.addAll(ids(transaction.execute(part)));
    }
    found.sort(null);
    seen.put("partitioned", found);
  }

  private static void drop(Spanner spanner, DatabaseId id) {
    spanner.getDatabaseAdminClient().dropDatabase("java", "clients");
    spanner.getInstanceAdminClient().deleteInstance("java");
    int left = 0;
    for (var ignored : spanner.getInstanceAdminClient().listInstances().iterateAll()) left++;
    seen.put("instancesLeft", left);
  }
}
