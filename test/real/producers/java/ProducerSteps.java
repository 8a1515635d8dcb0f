import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Produces with Kafka's own Java client, in each compression: plainly, and in transactions of which every third is aborted.
 * Prints how many records count as one line of JSON.
 */
public final class ProducerSteps {
  private static final String TOPIC = "java-made";
  private static final int RECORDS = 400;
  private static final int TRANSACTIONS = 9;
  private static final int IN_TRANSACTION = 50;

  public static void main(String[] arguments) throws Exception {
    int counted = 0;
    for (String compression : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      try (Producer<String, String> producer = producer(Map.of("compression.type", compression))) {
        for (int n = 0; n < RECORDS; n++) producer.send(record(compression + "-" + n, n));
        counted += RECORDS;
      }
      Map<String, Object> settings =
          Map.of("compression.type", compression, "transactional.id", "steps-" + compression);
      try (Producer<String, String> producer = producer(settings)) {
        producer.initTransactions();
        for (int transaction = 0; transaction < TRANSACTIONS; transaction++) {
          producer.beginTransaction();
          boolean aborts = transaction % 3 == 1;
          String name = compression + (aborts ? "-aborted-" : "-transacted-") + transaction + "-";
          for (int n = 0; n < IN_TRANSACTION; n++) producer.send(record(name + n, n));
          producer.flush();
          if (aborts) producer.abortTransaction();
          else producer.commitTransaction();
          if (!aborts) counted += IN_TRANSACTION;
        }
      }
    }
    System.out.println("{\"counted\":" + counted + "}");
  }

  private static Producer<String, String> producer(Map<String, Object> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("bootstrap.servers", System.getenv("KAFKA_BROKERS"));
    all.put("enable.idempotence", true);
    all.put("linger.ms", 20);
    return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
  }

  private static ProducerRecord<String, String> record(String key, int n) {
    String text = "t\u00fc\u20ac\ud83d\ude00".repeat(n % 50);
    return new ProducerRecord<>(TOPIC, key, "{\"n\":" + n + ",\"text\":\"" + text + "\"}");
  }
}
