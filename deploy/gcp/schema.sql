-- Penstock's control tables. Names are fixed: people and dashboards query them.
-- Applied by `penstock migrate`, which is safe to repeat.

-- Where each partition of each pipeline stands. Spanner is the truth about offsets; Kafka's group offsets are advice.
CREATE TABLE PenstockCheckpoints (
  Pipeline STRING(128) NOT NULL,
  Topic STRING(249) NOT NULL,
  PartitionId INT64 NOT NULL,
  TopicId STRING(36) NOT NULL,
  NextOffset INT64 NOT NULL,
  Fence INT64 NOT NULL,
  Owner STRING(256) NOT NULL,
  HighWatermark INT64 NOT NULL,
  LastEventAt TIMESTAMP,
  UpdatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Pipeline, Topic, PartitionId);

-- One row per commit: which offsets became which rows, when, and by whom.
CREATE TABLE PenstockLineage (
  Pipeline STRING(128) NOT NULL,
  Topic STRING(249) NOT NULL,
  PartitionId INT64 NOT NULL,
  FromOffset INT64 NOT NULL,
  ToOffset INT64 NOT NULL,
  RowCount INT64 NOT NULL,
  SkippedCount INT64 NOT NULL,
  DeadCount INT64 NOT NULL,
  Fence INT64 NOT NULL,
  Identity STRING(256) NOT NULL,
  CommittedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Pipeline, Topic, PartitionId, FromOffset);

-- Pub/Sub events that were taken: a second delivery finds its receipt.
CREATE TABLE PenstockReceipts (
  Pipeline STRING(128) NOT NULL,
  EventId STRING(256) NOT NULL,
  PayloadHash BYTES(32) NOT NULL,
  Outcome STRING(16) NOT NULL,
  ReceivedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Pipeline, EventId), ROW DELETION POLICY (OLDER_THAN(ReceivedAt, INTERVAL 30 DAY));

-- By which version guarded rows were deleted: an older write that comes late must not bring them back.
CREATE TABLE PenstockDeletedVersions (
  TableName STRING(128) NOT NULL,
  KeyHash BYTES(32) NOT NULL,
  GuardColumn STRING(128) NOT NULL,
  Version STRING(MAX) NOT NULL,
  DeletedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TableName, KeyHash), ROW DELETION POLICY (OLDER_THAN(DeletedAt, INTERVAL 30 DAY));

-- What could not become a row, with its bytes. Part 0 names it; further parts hold what is over a cell's limit.
-- Kept for 90 days.
CREATE TABLE PenstockDeadLetters (
  Pipeline STRING(128) NOT NULL,
  DeadLetterId STRING(320) NOT NULL,
  Part INT64 NOT NULL,
  Source STRING(16) NOT NULL,
  Topic STRING(256),
  PartitionId INT64,
  RecordOffset INT64,
  EventId STRING(256),
  Class STRING(16) NOT NULL,
  Reason STRING(4096) NOT NULL,
  RecordKey BYTES(MAX),
  RecordValue BYTES(MAX),
  Headers JSON,
  PartCount INT64 NOT NULL,
  ValueBytes INT64 NOT NULL,
  PipelineVersion STRING(32),
  OccurredAt TIMESTAMP,
  RecordedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  RedrivenAt TIMESTAMP OPTIONS (allow_commit_timestamp = true),
  RedrivenBy STRING(256),
  AttemptCount INT64,
  AttemptedAt TIMESTAMP OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Pipeline, DeadLetterId, Part), ROW DELETION POLICY (OLDER_THAN(RecordedAt, INTERVAL 90 DAY));

-- One row per epoch: the pinned read timestamp and the manifest. `Manifest` holds what transforms learned, of sensitive columns too:
-- planner and readers alone need it. `Outline` is what the page shows of it.
CREATE TABLE PenstockEpochs (
  EpochId STRING(128) NOT NULL,
  Feed STRING(128) NOT NULL,
  State STRING(16) NOT NULL,
  ReadTimestamp TIMESTAMP NOT NULL,
  PlanDigest STRING(71) NOT NULL,
  Manifest JSON NOT NULL,
  ShardCount INT64 NOT NULL,
  RowCount INT64,
  BatchCount INT64,
  PlannedBy STRING(256) NOT NULL,
  PlannedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  DeliveredAt TIMESTAMP OPTIONS (allow_commit_timestamp = true),
  Error STRING(4096),
  Outline JSON,
) PRIMARY KEY (EpochId);

CREATE INDEX PenstockEpochsByFeed ON PenstockEpochs (Feed, PlannedAt DESC);

-- One row per shard: its key range, its lease and how far it was delivered.
CREATE TABLE PenstockShards (
  EpochId STRING(128) NOT NULL,
  ShardId INT64 NOT NULL,
  State STRING(16) NOT NULL,
  KeyRange JSON NOT NULL,
  Fence INT64 NOT NULL,
  LeaseOwner STRING(256),
  LeaseExpiresAt TIMESTAMP,
  Position JSON,
  RowCount INT64 NOT NULL,
  BatchCount INT64 NOT NULL,
  StartedAt TIMESTAMP,
  UpdatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  FinishedAt TIMESTAMP OPTIONS (allow_commit_timestamp = true),
  Error STRING(4096),
) PRIMARY KEY (EpochId, ShardId), INTERLEAVE IN PARENT PenstockEpochs ON DELETE CASCADE;

-- One row per rotation of a secret: its step before and after each effect, never a value. Kept for three years.
CREATE TABLE PenstockRotations (
  Secret STRING(255) NOT NULL,
  RotationId STRING(128) NOT NULL,
  Kind STRING(16) NOT NULL,
  Step STRING(16) NOT NULL,
  UnderWay BOOL NOT NULL,
  BaseVersion INT64 NOT NULL,
  FromVersion INT64,
  ToVersion INT64,
  Fence INT64 NOT NULL,
  LeaseOwner STRING(256),
  LeaseExpiresAt TIMESTAMP,
  RequestedBy STRING(256) NOT NULL,
  Reason STRING(1024),
  StartedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  FinishedAt TIMESTAMP,
  RetireAt TIMESTAMP,
  DestroyAt TIMESTAMP,
  FailedStep STRING(16),
) PRIMARY KEY (Secret, RotationId), ROW DELETION POLICY (OLDER_THAN(UpdatedAt, INTERVAL 1095 DAY));

-- One row per secret that rotates and process that goes by it: which version it read last. Rotations wait for those that live.
CREATE TABLE PenstockSecretUsers (
  Secret STRING(255) NOT NULL,
  Holder STRING(256) NOT NULL,
  Version INT64 NOT NULL,
  SeenAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Secret, Holder), ROW DELETION POLICY (OLDER_THAN(SeenAt, INTERVAL 1 DAY));

-- One row per request for a second person: what exactly, who asked, who decided, and how it ended. Kept: auditors ask for it.
CREATE TABLE PenstockApprovals (
  ApprovalId STRING(64) NOT NULL,
  State STRING(16) NOT NULL,
  Action STRING(64) NOT NULL,
  Resource STRING(1024) NOT NULL,
  Content JSON NOT NULL,
  Digest STRING(64) NOT NULL,
  RequestedBy STRING(3072) NOT NULL,
  RequestedAt TIMESTAMP NOT NULL,
  ExpiresAt TIMESTAMP NOT NULL,
  DecidedBy STRING(3072),
  DecidedAt TIMESTAMP,
  Reason STRING(4096),
  StartedAt TIMESTAMP,
  FinishedAt TIMESTAMP,
  Error STRING(4096),
) PRIMARY KEY (ApprovalId);

CREATE INDEX PenstockApprovalsByTime ON PenstockApprovals (RequestedAt DESC);

CREATE INDEX PenstockApprovalsByDigest ON PenstockApprovals (Digest);
