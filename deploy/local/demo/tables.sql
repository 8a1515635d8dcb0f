-- The demo's own tables.
CREATE TABLE Flights (
  FlightId STRING(32) NOT NULL,
  DepartedAt TIMESTAMP NOT NULL,
  DelayMinutes INT64 NOT NULL,
  DistanceMiles INT64 NOT NULL,
  Origin STRING(3) NOT NULL,
  Destination STRING(3) NOT NULL,
) PRIMARY KEY (FlightId);

CREATE TABLE Airports (
  Iata STRING(4) NOT NULL,
  Name STRING(128) NOT NULL,
  City STRING(64),
  State STRING(8),
  Country STRING(64),
  Latitude FLOAT64 NOT NULL,
  Longitude FLOAT64 NOT NULL,
  UpdatedAt TIMESTAMP NOT NULL,
) PRIMARY KEY (Iata);

CREATE TABLE DelaysByOrigin (
  Origin STRING(3) NOT NULL,
  FlightCount INT64 NOT NULL,
  TotalDelayMinutes INT64 NOT NULL,
  WorstDelayMinutes INT64 NOT NULL,
) PRIMARY KEY (Origin);
