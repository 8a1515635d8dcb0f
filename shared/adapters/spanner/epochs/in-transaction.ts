import type { Database, Transaction } from '@google-cloud/spanner';

/** Runs a read-write transaction and commits it; `run` may be called again after an abort. */
export async function inTransaction<T>(database: Database, run: (transaction: Transaction) => Promise<T>): Promise<T> {
  return await database.runTransactionAsync(async (transaction) => {
    try {
      const result = await run(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      transaction.end();
      throw error;
    }
  });
}
