import type { FenceLease, FenceStatement } from '@wb/core';
import type { FenceSource } from './fence-source.js';

/** What a recipe needs of a transaction of Prisma: the client is generated for each program, so there is no type of it to import. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: unknown[]): PromiseLike<unknown>;
}

/** What a recipe needs of a `PrismaClient`. */
export interface PrismaDatabase<Transaction extends PrismaTransaction> {
  $transaction<T>(work: (trx: Transaction) => Promise<T>): Promise<T>;
}

/** Prisma takes the placeholders of the database. "Unsafe" means that the text is not checked: the values are parameters all the same. */
export async function fenceInPrisma(trx: PrismaTransaction, { sql, parameters }: FenceStatement): Promise<void> {
  await trx.$queryRawUnsafe(sql, ...parameters);
}

/** Runs `work` in an interactive transaction of Prisma that commits only if the lease stands: PostgreSQL, MySQL, MariaDB. For SQLite see {@link fencedInPrismaSqlite}. */
export async function fencedInPrisma<Transaction extends PrismaTransaction, T>(
  prisma: PrismaDatabase<Transaction>,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await prisma.$transaction(async (trx) => {
      const result = await work(trx);
      await fenceInPrisma(trx, store.fenceStatement(lease));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}

/**
 * The same on SQLite (`better-sqlite3`). There Prisma begins transactions without the write lock, and one that has read before it writes fails if somebody else has written meanwhile (`SQLITE_BUSY_SNAPSHOT`). A fence takes the lock: it comes first, too.
 */
export async function fencedInPrismaSqlite<Transaction extends PrismaTransaction, T>(
  prisma: PrismaDatabase<Transaction>,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: Transaction) => Promise<T>,
): Promise<T> {
  return await fencedInPrisma(prisma, store, lease, async (trx) => {
    await fenceInPrisma(trx, store.fenceStatement(lease));
    return await work(trx);
  });
}
