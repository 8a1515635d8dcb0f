/** Source: https://cloud.google.com/spanner/docs/reference/standard-sql/lexical#reserved_keywords */
const RESERVED = new Set(
  `ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE CURRENT
  DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL
  GROUP GROUPING GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP
  MERGE NATURAL NEW NO NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO RANGE RECURSIVE RESPECT RIGHT
  ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN WHERE WINDOW WITH
  WITHIN`.split(/\s+/),
);

/** Whether a word is one of the language, which is a name in backquotes alone. */
export function isReserved(word: string): boolean {
  return RESERVED.has(word.toUpperCase());
}

/** The name as DDL takes it: in backquotes where it is a word of the language, bare for people elsewhere. */
export function quoteName(name: string): string {
  return isReserved(name) ? `\`${name}\`` : name;
}
