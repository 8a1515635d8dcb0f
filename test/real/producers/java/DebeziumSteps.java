import com.fasterxml.jackson.databind.ObjectMapper;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Changes a table of a real PostgreSQL while Debezium follows it into two topics, as envelopes and flattened, and prints
 * the table's rows at the end as one line of JSON.
 */
public final class DebeziumSteps {
  private static final String COLUMNS = "id, name, price, active, seen, weight, note, day, made_at";
  private static final int SNAPSHOT_ROWS = 200;
  private static final int CHANGES = 600;
  private static final long DEADLINE_MS = 60_000;
  /** The last change of each topic that has been sent. */
  private static final Map<String, Long> marks = new ConcurrentHashMap<>();
  private static final Map<String, Integer> counts = new ConcurrentHashMap<>();

  public static void main(String[] arguments) throws Exception {
    ExecutorService executor = Executors.newCachedThreadPool();
    try (EmbeddedPostgres postgres =
            EmbeddedPostgres.builder().setServerConfig("wal_level", "logical").start();
        Connection connection = postgres.getPostgresDatabase().getConnection();
        Statement statement = connection.createStatement();
        Producer<String, String> producer = producer()) {
      statement.execute(
          "CREATE TABLE items (id int8 PRIMARY KEY, name text NOT NULL, price numeric(14,4), active bool,"
              + " seen timestamptz, weight float8, note text, day date, made_at timestamp(6))");
      Random random = new Random(7);
      for (long id = 0; id < SNAPSHOT_ROWS; id++) insert(statement, id, random);
      List<DebeziumEngine<?>> engines = new ArrayList<>();
      for (boolean flattened : new boolean[] {false, true}) {
        DebeziumEngine<ChangeEvent<String, String>> engine = engine(postgres.getPort(), flattened, producer);
        engines.add(engine);
        executor.execute(engine);
        String name = flattened ? "flattened" : "envelopes";
        await("snapshot", () -> counts.getOrDefault(name, 0) >= SNAPSHOT_ROWS);
      }
      change(connection, statement, random);
      long mark = 1_000_000;
      insert(statement, mark, random);
      await("changes", () -> marks.getOrDefault("envelopes", 0L) == mark && marks.getOrDefault("flattened", 0L) == mark);
      producer.flush();
      Map<String, Object> seen = new LinkedHashMap<>();
      seen.put("events", new LinkedHashMap<>(counts));
      seen.put("rows", rows(statement));
      for (DebeziumEngine<?> engine : engines) engine.close();
      System.out.println(new ObjectMapper().writeValueAsString(seen));
    } finally {
      executor.shutdownNow();
    }
  }

  private interface Condition {
    boolean holds();
  }

  private static void await(String what, Condition condition) throws InterruptedException {
    long deadline = System.currentTimeMillis() + DEADLINE_MS;
    while (!condition.holds()) {
      if (System.currentTimeMillis() > deadline) throw new IllegalStateException("In vain: " + what + " " + counts);
      Thread.sleep(50);
    }
  }

  private static Producer<String, String> producer() {
    Map<String, Object> settings =
        Map.of("bootstrap.servers", System.getenv("KAFKA_BROKERS"), "enable.idempotence", true, "linger.ms", 5);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  /** Envelopes carry exact decimals; flattened events carry them as text, and say what was deleted. */
  private static DebeziumEngine<ChangeEvent<String, String>> engine(
      int port, boolean flattened, Producer<String, String> producer) {
    String name = flattened ? "flattened" : "envelopes";
    Properties settings = new Properties();
    settings.setProperty("name", name);
    settings.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
    settings.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
    settings.setProperty("database.hostname", "localhost");
    settings.setProperty("database.port", String.valueOf(port));
    settings.setProperty("database.user", "postgres");
    settings.setProperty("database.password", "postgres");
    settings.setProperty("database.dbname", "postgres");
    settings.setProperty("topic.prefix", name);
    settings.setProperty("plugin.name", "pgoutput");
    settings.setProperty("slot.name", name);
    settings.setProperty("publication.name", name);
    settings.setProperty("table.include.list", "public.items");
    settings.setProperty("poll.interval.ms", "50");
    settings.setProperty("converter.schemas.enable", "true");
    settings.setProperty("decimal.handling.mode", flattened ? "string" : "precise");
    if (flattened) {
      settings.setProperty("transforms", "unwrap");
      settings.setProperty("transforms.unwrap.type", "io.debezium.transforms.ExtractNewRecordState");
      settings.setProperty("transforms.unwrap.delete.tombstone.handling.mode", "rewrite");
      settings.setProperty("transforms.unwrap.add.fields", "op,lsn");
    }
    return DebeziumEngine.create(Json.class)
        .using(settings)
        .using((ended, message, error) -> {
          if (!ended) System.err.println(name + ": " + message);
          if (error != null) error.printStackTrace();
        })
        .notifying(
            (records, committer) -> {
              for (ChangeEvent<String, String> event : records) {
                producer.send(new ProducerRecord<>(name, event.key(), event.value()));
                counts.merge(name, 1, Integer::sum);
                if (event.key().contains("1000000")) marks.put(name, 1_000_000L);
                committer.markProcessed(event);
              }
              committer.markBatchFinished();
            })
        .build();
  }

  private static void insert(Statement statement, long id, Random random) throws Exception {
    statement.execute("INSERT INTO items (" + COLUMNS + ") VALUES (" + id + ", " + values(random) + ")");
  }

  private static String values(Random random) {
    String price = random.nextInt(10) == 0 ? "NULL" : random.nextInt(1_000_000_000) + "." + (1_000 + random.nextInt(9_000));
    String seen = random.nextInt(10) == 0 ? "NULL" : "timestamptz '2026-01-01 00:00:00.123456+02' + interval '" + random.nextInt(100_000_000) + " seconds'";
    return String.join(
        ", ",
        "'na\"me\\ü€😀 " + random.nextInt() + "'",
        price,
        random.nextBoolean() ? "true" : "false",
        seen,
        String.valueOf(random.nextGaussian() * 1e9),
        random.nextInt(5) == 0 ? "NULL" : "repeat('x', " + random.nextInt(60) + ")",
        "date '1950-01-01' + " + random.nextInt(40_000),
        "timestamp '1969-12-31 23:59:59.000001' + interval '" + random.nextInt(1_000_000) + " minutes'");
  }

  /** Inserts, updates of rows and of their keys, deletions, several in a transaction, some of which are rolled back. */
  private static void change(Connection connection, Statement statement, Random random) throws Exception {
    connection.setAutoCommit(false);
    long next = SNAPSHOT_ROWS;
    for (int change = 0; change < CHANGES; change++) {
      long id = random.nextInt((int) next);
      switch (random.nextInt(6)) {
        case 0, 1 -> insert(statement, next++, random);
        case 2, 3 -> statement.execute(
            "UPDATE items SET (name, price, active, seen, weight, note, day, made_at) = (" + values(random) + ") WHERE id = " + id);
        case 4 -> statement.execute("DELETE FROM items WHERE id = " + id);
        default -> statement.execute("UPDATE items SET id = " + next++ + " WHERE id = " + id);
      }
      if (random.nextInt(4) == 0) {
        if (random.nextInt(5) == 0) connection.rollback();
        else connection.commit();
      }
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  /** As text that both databases can write. */
  private static List<List<String>> rows(Statement statement) throws Exception {
    String utc = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";
    List<List<String>> rows = new ArrayList<>();
    try (ResultSet found =
        statement.executeQuery(
            "SELECT id, name, trim_scale(price), active, to_char(seen AT TIME ZONE 'UTC', " + utc + "), weight, note,"
                + " to_char(day, 'YYYY-MM-DD'), to_char(made_at, " + utc + ") FROM items ORDER BY id")) {
      while (found.next()) {
        List<String> row = new ArrayList<>();
        for (int column = 1; column <= 9; column++) row.add(found.getString(column));
        row.set(3, row.get(3) == null ? null : row.get(3).equals("t") ? "true" : "false");
        rows.add(row);
      }
    }
    return rows;
  }
}
