import { TokenCursor } from './token-cursor.ts';

/**
 * Reads the database's id out of `CREATE DATABASE id`.
 *
 * @throws {RpcError} INVALID_ARGUMENT with line and column
 */
export function parseCreateDatabase(statement: string): string {
  const cursor = new TokenCursor(statement);
  cursor.expect('CREATE', 'DATABASE');
  const name = cursor.expectDatabaseName();
  cursor.expectEnd();
  return name;
}
