/** The tables that the queries below read. */
export const queryTables = [
  `CREATE TABLE Orders (OrderId STRING(9) NOT NULL, Cents INT64, Region STRING(9), CardNumber STRING(32), Marks ARRAY<INT64>)
    PRIMARY KEY (OrderId)`,
  'CREATE TABLE Regions (Region STRING(9) NOT NULL, Name STRING(9)) PRIMARY KEY (Region)',
];

/** Their columns, as the database tells them. */
export const queryColumns = new Map([
  ['Orders', ['OrderId', 'Cents', 'Region', 'CardNumber', 'Marks']],
  ['Regions', ['Region', 'Name']],
]);

/** A query, and what must be granted for it. */
export interface QueryGrants {
  readonly sql: string;
  readonly select: Readonly<Record<string, 'all' | readonly string[]>>;
  /** Granted, though Spanner would answer without: a use that cannot be told apart counts as one of all columns. */
  readonly spare?: readonly string[];
}

const whole = { Orders: 'all' } as const;
const rest = ['Orders.Cents', 'Orders.Region', 'Orders.CardNumber', 'Orders.Marks'];

/** Uses of columns by their names. */
const named: readonly QueryGrants[] = [
  { sql: 'SELECT OrderId, Cents * 2 AS Twice FROM Orders', select: { Orders: ['OrderId', 'Cents'] } },
  { sql: "SELECT OrderId, 'CardNumber, Orders.*' AS Note FROM Orders", select: { Orders: ['OrderId'] } },
  { sql: 'SELECT `o`.`cardnumber` AS c FROM `orders` AS `o`', select: { Orders: ['CardNumber'] } },
  { sql: 'SELECT OrderId FROM Orders AS o WHERE o.CardNumber IS NULL', select: { Orders: ['OrderId', 'CardNumber'] } },
  { sql: 'SELECT Region, COUNT(*) AS n FROM Orders GROUP BY Region', select: { Orders: ['Region'] } },
  { sql: 'SELECT COUNT(*) AS n FROM Regions', select: { Regions: ['Region'] } },
  {
    sql: 'SELECT OrderId FROM Orders JOIN Regions USING (Region)',
    select: { Orders: ['OrderId', 'Region'], Regions: ['Region'] },
  },
  {
    sql: 'SELECT o.OrderId, r.Name FROM (Orders AS o JOIN Regions AS r ON o.Region = r.Region)',
    select: { Orders: ['OrderId', 'Region'], Regions: ['Region', 'Name'] },
  },
  {
    sql: 'SELECT o.OrderId, r.Name FROM Orders o, Regions r WHERE o.Region = r.Region',
    select: { Orders: ['OrderId', 'Region'], Regions: ['Region', 'Name'] },
  },
  {
    sql: 'SELECT OrderId FROM Orders WHERE Region IN (SELECT r.Region FROM Regions AS r WHERE r.Name IS NOT NULL)',
    select: { Orders: ['OrderId', 'Region'], Regions: ['Region', 'Name'] },
  },
  { sql: 'SELECT OrderId, Mark FROM Orders AS o, o.Marks AS Mark', select: { Orders: ['OrderId', 'Marks'] } },
  {
    sql: 'WITH late AS (SELECT OrderId, Cents FROM Orders) SELECT TO_JSON_STRING(l) AS j FROM late AS l',
    select: { Orders: ['OrderId', 'Cents'] },
  },
  {
    sql: 'SELECT s.OrderId FROM (SELECT AS STRUCT o.OrderId, o.Cents AS c FROM Orders AS o) AS s WHERE s.c > 1',
    select: { Orders: ['OrderId', 'Cents'] },
  },
  {
    sql: 'SELECT OrderId FROM Orders UNION ALL SELECT Name FROM Regions',
    select: { Orders: ['OrderId'], Regions: ['Name'] },
  },
  {
    sql: 'SELECT OrderId FROM Orders WHERE Region IS DISTINCT FROM CardNumber',
    select: { Orders: ['OrderId', 'Region', 'CardNumber'] },
  },
];

/** Rows as a whole, by a table's name, its alias, or a star. */
const wholes: readonly QueryGrants[] = [
  ...[
    'SELECT * FROM Orders',
    'SELECT DISTINCT OrderId, Region, Cents, TO_JSON_STRING(o) AS j FROM Orders AS o',
    'SELECT o.* FROM Orders AS o',
    'SELECT 1 AS One, o.* FROM Orders o',
    'SELECT OrderId, * EXCEPT (OrderId) FROM Orders',
    'SELECT TO_JSON_STRING(Orders) AS j FROM Orders',
    'SELECT TO_JSON_STRING(o) AS j FROM Orders o',
    'SELECT TO_JSON_STRING(TO_JSON(`o`)) AS j FROM `orders` AS `o`',
    "SELECT FORMAT('%T', o) AS j FROM Orders AS o",
    'SELECT OrderId FROM Orders AS o WHERE TO_JSON_STRING(o) > "a"',
    'SELECT OrderId FROM Orders AS o WHERE EXISTS (SELECT TO_JSON_STRING(o) FROM Regions)',
    'SELECT MAX(TO_JSON_STRING(o)) AS j FROM Orders AS o',
    'SELECT TO_JSON_STRING((SELECT AS STRUCT o.*)) AS j FROM Orders AS o',
    'SELECT TO_JSON_STRING(s) AS j FROM (SELECT o FROM Orders AS o) AS s',
    'SELECT TO_JSON_STRING(s) AS j FROM (SELECT AS VALUE o FROM Orders AS o) AS s',
    'WITH x AS (SELECT * FROM Orders) SELECT TO_JSON_STRING(x) AS j FROM x',
    'SELECT TO_JSON_STRING([STRUCT(o AS inner_row)]) AS j FROM Orders AS o',
    'SELECT TO_JSON_STRING(v) AS j FROM Orders, UNNEST([Orders]) AS v',
    'SELECT TO_JSON_STRING(IF(Cents > 0, o, NULL)) AS j FROM Orders AS o',
    'SELECT a.OrderId FROM Orders AS a WHERE TO_JSON_STRING([a]) IS DISTINCT FROM TO_JSON_STRING(a)',
    'SELECT (o).CardNumber AS c FROM Orders AS o',
    'SELECT OrderId FROM (SELECT * FROM Orders)',
    'SELECT COUNT(o) AS n FROM Orders AS o',
    'SELECT OrderId FROM Orders AS o WHERE o IS NOT NULL',
    'SELECT OrderId FROM Orders AS o WHERE EXISTS (SELECT o)',
  ].map((sql) => ({
    sql,
    select: sql.includes('Regions') ? ({ Orders: 'all', Regions: ['Region'] } as const) : whole,
  })),
  {
    sql: 'SELECT TO_JSON_STRING(r) AS j, o.Cents FROM Orders AS o JOIN Regions AS r ON [o.Region, r.Region][OFFSET(0)] = r.Region',
    select: { Orders: ['Cents', 'Region'], Regions: 'all' },
  },
  {
    sql: 'SELECT OrderId FROM Orders AS o JOIN Regions AS r ON [TO_JSON_STRING(r), TO_JSON_STRING(o)][OFFSET(1)] != r.Name',
    select: { Orders: 'all', Regions: 'all' },
  },
];

/** Uses that cannot be told apart. */
const unclear: readonly QueryGrants[] = [
  { sql: 'SELECT OrderId AS o FROM Orders AS o GROUP BY o', select: whole, spare: rest },
  {
    sql: 'SELECT OrderId FROM (SELECT OrderId, * EXCEPT (OrderId, CardNumber) FROM Orders)',
    select: whole,
    spare: ['Orders.CardNumber'],
  },
];

export const queryGrants: readonly QueryGrants[] = [...named, ...wholes, ...unclear];
