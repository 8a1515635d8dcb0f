/** Apache Kafka's broker and command line tools. */
export const kafkaArtifacts = [
  'org.apache.kafka:kafka_2.13:4.1.1',
  'org.apache.kafka:kafka-tools:4.1.1',
  'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
  'org.apache.logging.log4j:log4j-core:2.24.3',
] as const;
