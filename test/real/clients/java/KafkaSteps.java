import com.google.gson.Gson;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Takes the steps of kafka.test.ts with Kafka's own Java client and prints what it saw as one line of JSON. */
public final class KafkaSteps {
  private static final String SOURCE = "java-source";
  private static final String TARGET = "java-target";
  private static final int PARTITIONS = 3;
  private static final int RECORDS = 300;
  private static final List<String> COMPRESSIONS = List.of("none", "gzip", "snappy", "lz4", "zstd");
  private static final Map<String, Object> seen = new LinkedHashMap<>();
  private static String brokers;

  public static void main(String[] arguments) throws Exception {
    brokers = System.getenv("KAFKA_BROKERS");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
      NewTopic source = new NewTopic(SOURCE, PARTITIONS, (short) 1);
      admin.createTopics(List.of(source, new NewTopic(TARGET, 1, (short) 1))).all().get();
      seen.put("partitions", admin.describeTopics(List.of(SOURCE)).allTopicNames().get().get(SOURCE).partitions().size());
      produce();
      share();
      seen.put("committed", committed(admin, "java-group"));
      move("java-mover", false);
      move("java-mover", true);
      seen.put("moved", readAll(TARGET));
      seen.put("committedWithTransaction", committed(admin, "java-mover"));
      admin.deleteTopics(List.of(SOURCE, TARGET)).all().get();
      seen.put("topicsLeft", admin.listTopics().names().get());
    }
    System.out.println(new Gson().toJson(seen));
  }

  private static Producer<String, String> producer(Map<String, Object> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("bootstrap.servers", brokers);
    all.put("enable.idempotence", true);
    all.put("linger.ms", 20);
    return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
  }

  private static Consumer<String, String> consumer(String group) {
    Map<String, Object> settings =
        Map.of(
            "bootstrap.servers", brokers,
            "group.id", group,
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "heartbeat.interval.ms", 200,
            "isolation.level", "read_committed");
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static void produce() throws Exception {
    for (String compression : COMPRESSIONS) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      try (Producer<String, String> producer = producer(Map.of("compression.type", compression))) {
        for (int i = 0; i < RECORDS; i++) {
          ProducerRecord<String, String> record = new ProducerRecord<>(SOURCE, compression + i, "v".repeat(i));
          record.headers().add("compression", compression.getBytes(StandardCharsets.UTF_8));
          sent.add(producer.send(record));
        }
      }
      for (Future<RecordMetadata> one : sent) one.get();
    }
  }

  /** Two members of a group take all records once; the second joins while the first is reading. */
  private static void share() throws Exception {
    Map<String, Integer> times = new TreeMap<>();
    Map<String, Integer> byCompression = new TreeMap<>();
    try (Consumer<String, String> first = consumer("java-group"); Consumer<String, String> second = consumer("java-group")) {
      first.subscribe(List.of(SOURCE));
      second.subscribe(List.of(SOURCE));
      long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
      boolean isShared = false;
      while (System.nanoTime() < deadline && (times.size() < RECORDS * COMPRESSIONS.size() || !isShared)) {
        for (Consumer<String, String> member : List.of(first, second)) {
          ConsumerRecords<String, String> records = member.poll(Duration.ofMillis(100));
          for (ConsumerRecord<String, String> record : records) {
            times.merge(record.key() + ":" + record.value().length(), 1, Integer::sum);
            byte[] compression = record.headers().lastHeader("compression").value();
            byCompression.merge(new String(compression, StandardCharsets.UTF_8), 1, Integer::sum);
          }
          member.commitSync();
        }
        isShared = !first.assignment().isEmpty() && !second.assignment().isEmpty();
      }
      seen.put("assigned", first.assignment().size() + second.assignment().size());
      seen.put("isShared", isShared);
    }
    seen.put("consumed", byCompression);
    seen.put("consumedOnce", times.values().stream().filter(count -> count == 1).count());
  }

  private static long committed(Admin admin, String group) throws Exception {
    Collection<OffsetAndMetadata> offsets =
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values();
    return offsets.stream().mapToLong(OffsetAndMetadata::offset).sum();
  }

  /** Moves ten records from one topic to the other in one transaction, which is aborted or committed. */
  private static void move(String group, boolean commits) {
    try (Consumer<String, String> consumer = consumer(group);
        Producer<String, String> producer = producer(Map.of("transactional.id", group))) {
      TopicPartition partition = new TopicPartition(SOURCE, 0);
      consumer.subscribe(List.of(SOURCE));
      producer.initTransactions();
      producer.beginTransaction();
      int moved = 0;
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
      while (moved < 10 && System.nanoTime() < deadline) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)).records(partition)) {
          if (moved == 10) break;
          producer.send(new ProducerRecord<>(TARGET, commits ? "committed" : "aborted", record.value()));
          offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
          moved++;
        }
      }
      producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      if (commits) producer.commitTransaction();
      else producer.abortTransaction();
    }
  }

  /** How often each key is in the topic, as a reader of committed records sees it. */
  private static Map<String, Integer> readAll(String topic) {
    Map<String, Integer> found = new TreeMap<>();
    try (Consumer<String, String> consumer = consumer("java-reader")) {
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          found.merge(record.key(), 1, Integer::sum);
        }
      }
    }
    return found;
  }
}
