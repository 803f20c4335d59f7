/**
 * What stands around the statements of a transaction.
 *
 * @module
 */
/** Ends a transaction, whatever `completion_type` says. */
export const ROLL_BACK = 'rollback and no chain no release';
export const COMMIT = 'commit and no chain no release';

/** What the steps of a call are run in. */
export type TransactionKind = 'write' | 'read' | 'bare';

/**
 * What stands around the steps of a transaction. No setting of the session is relied on and none is left behind: what an owner of the connection left open is rolled back, `set
 * transaction` is for the next transaction only, and `autocommit` and `completion_type` have no say. `write`: every statement sees what was committed before it; no gaps
 * are locked. `read`: all statements see one snapshot.
 */
export const AROUND: Readonly<Record<TransactionKind, { readonly before: readonly string[]; readonly after: readonly string[] }>> =
  Object.freeze({
    write: {
      before: [ROLL_BACK, 'set transaction isolation level read committed', 'start transaction'],
      after: [COMMIT],
    },
    read: {
      before: [ROLL_BACK, 'set transaction isolation level repeatable read', 'start transaction read only'],
      after: [COMMIT],
    },
    /** DDL ends a transaction by itself; what stands beside it does not, with `autocommit=0`. */
    bare: { before: [], after: [COMMIT] },
  });

const WHOLE = 'savepoint wb_whole';
/** How long the server keeps a transaction whose client says nothing between its two packets, in seconds. */
const SILENCE_SECONDS = 2;

/**
 * A write that others may be kept waiting by, or that may be broken off, because it is not one packet.
 *
 * Where the connection takes one statement at a time, a client may stop between two of them: the server then keeps what they have locked for {@link SILENCE_SECONDS}, and not for the hours of its default.
 *
 * Where other servers write, too, one of them may end it at any moment. Galera then loses the error, now and then, if that happens in the middle of a packet: it goes on with the next statement, in
 * no transaction, and says in the end that all went well, also to a `commit`. So nothing commits by itself here; the savepoint tells whether the transaction is the same from its beginning to its end;
 * and the commit is a packet of its own, whose error does arrive.
 */
export const GUARDED: { readonly before: readonly string[]; readonly after: readonly string[] } = Object.freeze({
  before: Object.freeze([
    ROLL_BACK,
    enterTransaction(SILENCE_SECONDS),
    'set transaction isolation level read committed',
    'start transaction',
    WHOLE,
  ]),
  after: Object.freeze([`release ${WHOLE}`]),
});

/** Keeps statements from committing by themselves, and the server from keeping a silent client; until {@link RESTORE}. */
export function enterTransaction(silenceSeconds: number): string {
  return `set @wb_autocommit = @@session.autocommit, @wb_wait_timeout = @@session.wait_timeout, session autocommit = 0, session wait_timeout = cast(least(@@session.wait_timeout, ${silenceSeconds}) as signed)`;
}

/** After {@link enterTransaction}: as it was before. */
export const RESTORE = 'set session autocommit = @wb_autocommit, session wait_timeout = @wb_wait_timeout';
