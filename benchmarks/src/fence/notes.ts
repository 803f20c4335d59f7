import type { BareClient, BenchDatabase } from '../databases/bench-database.js';

/** Makes a table to be written in a transaction; returns the statement that does. */
export async function createNotes(database: BenchDatabase, bare: BareClient, namespace: string): Promise<string> {
  const table = database.table(namespace, 'note');
  await bare.query(`create table ${table} (id ${database.identityType}, term bigint not null)`, []);
  return `insert into ${table} (term) values (?)`;
}
