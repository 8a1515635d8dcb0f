import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCondition } from '../../../../shared/model/epochs/check-condition.ts';
import { checkQuery } from '../../../../shared/model/epochs/check-query.ts';
import { wordsOf } from '../../../../shared/model/sql/check-tokens.ts';

test('checkQuery() takes queries whose rows are the same whenever they are asked at one timestamp', () => {
  for (const sql of [
    'SELECT Id, Delay FROM Flights',
    '  with late AS (SELECT * FROM Flights WHERE Delay > 0) SELECT l.Id, a.City AS City FROM late AS l JOIN Airports AS a ON a.Iata = l.Origin',
    'SELECT Origin, COUNT(*) AS Flights, MAX(Delay) AS Worst FROM Flights GROUP BY Origin',
    "SELECT Id, 'ORDER BY RAND() LIMIT 5; --' AS Note, `order` FROM Flights",
    'SELECT `rand`, `graph` AS `table`, Id | 1 AS b FROM Flights WHERE EXTRACT(DAY FROM At) = 1 AND Id IS DISTINCT FROM 2',
    'SELECT Id, Marks[OFFSET(0)] AS First FROM Flights, UNNEST(Marks) AS Mark WITH OFFSET AS Place',
  ]) {
    assert.equal(checkQuery(sql), undefined, sql);
  }
});

test('checkQuery() refuses, with the reason, what could answer otherwise, depends on an order, or is no query', () => {
  for (const [sql, problem] of [
    ['', /is empty/],
    ['DELETE FROM Flights WHERE TRUE', /is no query/],
    ['SELECT Id FROM Flights ORDER BY Id', /has ORDER: the order is that of `key`/],
    ['SELECT Id FROM Flights LIMIT 5', /has LIMIT: which rows/],
    ['SELECT Id, RAND() AS r FROM Flights', /has RAND: it gives another answer/],
    ['SELECT Id FROM Flights WHERE At < current_timestamp()', /has CURRENT_TIMESTAMP/],
    ['SELECT Id FROM Flights TABLESAMPLE RESERVOIR (5 ROWS)', /has TABLESAMPLE/],
    ['SELECT Id, ROW_NUMBER() OVER (PARTITION BY Origin) AS n FROM Flights', /has OVER: what a window/],
    ['SELECT Origin, Sum(Distance) AS s FROM Flights GROUP BY Origin', /has SUM: sums of floats/],
    ['SELECT Origin, any_value(Id) AS s FROM Flights GROUP BY Origin', /has ANY_VALUE: the order of their rows/],
    ['SELECT ARRAY(SELECT Id FROM Flights) AS a', /has ARRAY: the order/],
    ['SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES', /has INFORMATION_SCHEMA: it does not belong/],
    ['SELECT TABLE_NAME FROM `information_schema`.TABLES', /has INFORMATION_SCHEMA/],
    ['SELECT Id, `rand` () AS r FROM Flights', /has RAND: it gives another answer/],
    ['SELECT 1 AS n FROM Small WHERE EXISTS { GRAPH People MATCH (p) RETURN p }', /has GRAPH: it reads tables/],
    ['SELECT Id FROM (FROM Flights)', /has \(FROM: a query within begins with SELECT or WITH/],
    ['SELECT Id FROM Small WHERE Id IN (TABLE Flights)', /has \(TABLE: a query within/],
    ['SELECT Id FROM Flights |> WHERE TRUE', /has \|>: a query within/],
    ['SELECT r.Id FROM READ_Changes(NULL, NULL) AS r', /takes rows from read_changes\(…\)/],
    ['SELECT Id FROM Small JOIN `my`.Read(1) ON TRUE', /takes rows from my\.read\(…\)/],
    ['SELECT Id FROM Flights) AS a JOIN (SELECT 1', /closes a parenthesis/],
    ['SELECT Id FROM Flights; SELECT 1', /has ;/],
    ['SELECT Id FROM `Fl\\x69ghts`', /escape in the name/],
    ['SELECT Id FROM Flights -- all', /comment/],
    ['SELECT Id FROM Flights@{FORCE_INDEX=ByOrigin}', /has @/],
    [`SELECT ${'x'.repeat(16_000)}`, /16007 characters/],
  ] as const) {
    assert.match(checkQuery(sql) ?? '', problem, sql);
  }
});

test('wordsOf() names every table of a query, in quotes too, and no text', () => {
  const words = wordsOf("SELECT 'Nobody' AS x FROM Flights AS f JOIN `Airports` ON TRUE");
  assert.ok(words.has('flights') && words.has('airports'));
  assert.ok(!words.has('nobody'));
});

test('checkCondition() refuses a query within, however it begins', () => {
  for (const condition of [
    'EXISTS (SELECT 1 FROM Secrets)',
    'EXISTS (FROM Secrets)',
    "EXISTS (FROM Secrets |> WHERE Pin = '1')",
    'Id IN (TABLE Secrets)',
    'EXISTS { GRAPH People MATCH (p) RETURN p }',
  ]) {
    assert.notEqual(checkCondition(condition), undefined, condition);
  }
  assert.equal(checkCondition('Id IS DISTINCT FROM 1 AND EXTRACT(YEAR FROM At) = 2026'), undefined);
});
