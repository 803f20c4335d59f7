import { StoreError, type CallOptions } from '@wb/core';
import { CallEnd } from './call-end.js';
import type { BorrowedConnection, ConnectionSource } from './connection-source.js';
import { DedicatedConnection } from './dedicated-connection.js';
import { ER_SP_DOES_NOT_EXIST, serverNumber, toStoreError } from './mysql-errors.js';
import type { MysqlEnvironment } from './mysql-options.js';
import type { DriverConnection } from './mysql-driver.js';
import { decodeRows, type Step } from './mysql-statement.js';
import { sendQuery } from './send-query.js';
import { AROUND, COMMIT, GUARDED, RESTORE, ROLL_BACK, type TransactionKind } from './transaction-frame.js';
import { mayHaveOtherWriters, type ServerRow } from './server-identity.js';

/** How long a call waits for a busy database at most, in ms; its signal usually ends it sooner. */
const BUSY_LIMIT_MS = 5_000;
/** How long a call may take that has no signal, in ms. */
const CALL_LIMIT_MS = 6_000;
/** The first and the longest pause between two attempts, in ms. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** Flags in the server's answer to a statement. */
const STATUS_IN_TRANSACTION = 1;
const STATUS_AUTOCOMMIT = 2;
/** How long rolling back may take, in ms, before the connection is ended instead. */
const ROLLBACK_LIMIT_MS = 1_000;

/** How a call is made. */
export interface Call {
  readonly operation: string;
  readonly options: CallOptions | undefined;
  /** Goes before those that wait for a connection. Default: `false`. */
  readonly isUrgent?: boolean;
  /** How long the call may last, in ms; one of `lend`, until it has a connection. Default: as long as its signal lets it; without one 6,000, or, of `lend`, for ever. */
  readonly limitMs?: number;
}

/** What the steps return: rows, or how many rows the server says it has changed, which depends on a flag of the connection and is only good for 0. Of a step that was left out: 0. */
export type StepResults<Steps extends readonly (Step<unknown> | null)[]> = {
  readonly [At in keyof Steps]: Steps[At] extends Step<infer Row> ? ([Row] extends [never] ? number : readonly Row[]) : number;
};

/** A connection for several statements, in the hands of who borrowed it. */
export interface Loan {
  readonly connection: DriverConnection;
  /** When the call must be over. */
  readonly end: CallEnd;
  /** Runs statements, in one packet where the connection allows it, and returns what the driver returned for each. Rejects with what the driver throws; when the call is over, with a `StoreError` of unknown outcome. */
  readonly send: (statements: readonly string[]) => Promise<readonly unknown[]>;
  /** Runs what makes it as good as before, and gives it back; ends it if it cannot. Never rejects. */
  readonly giveBack: (after: readonly string[]) => Promise<void>;
}

/** Makes calls to the database: borrows a connection for each, heeds the signal and `close()` at every moment, and repeats what the database was too busy for. */
export class MysqlClient {
  readonly #source: ConnectionSource;
  /** For transactions that last: no heartbeat has to wait for their connections. */
  readonly #lending: ConnectionSource;
  readonly #environment: MysqlEnvironment;
  readonly #server: Step<ServerRow>;
  readonly #calls = new Set<CallEnd>();
  #hasOtherWriters: boolean | null = null;
  #isClosed = false;

  /** @param server Asks a server who it is. */
  constructor(source: ConnectionSource, lending: ConnectionSource, environment: MysqlEnvironment, server: Step<ServerRow>) {
    this.#source = source;
    this.#lending = lending;
    this.#environment = environment;
    this.#server = server;
  }

  /** Whether other servers take writes to the same tables, too. `null`: no server was asked yet. */
  get hasOtherWriters(): boolean | null {
    return this.#hasOtherWriters;
  }

  /** The same, and asks if that is not known. */
  async askForOtherWriters(call: Call): Promise<boolean> {
    if (this.#hasOtherWriters === null) {
      const [[server]] = await this.run(call, 'read', [this.#server]);
      this.#hasOtherWriters = mayHaveOtherWriters(server!);
    }
    return this.#hasOtherWriters;
  }

  /** One transaction, or bare statements. Repeated while it fails with `STORE_BUSY`: then nothing of it was done. A step that is `null` is left out: it would do nothing, and cost as much as the others. */
  async run<const Steps extends readonly (Step<unknown> | null)[]>(
    call: Call,
    kind: TransactionKind,
    steps: Steps,
  ): Promise<StepResults<Steps>> {
    const isAmongOthers = kind === 'write' && (await this.askForOtherWriters(call));
    const needed = steps.filter((step) => step !== null);
    const results = await this.retry(call, async (end) => await this.#transact(call, end, kind, isAmongOthers, needed));
    let next = 0;
    return steps.map((step) => (step === null ? 0 : results[next++])) as unknown as StepResults<Steps>;
  }

  /** Runs `attempt`, again and again while it fails with `STORE_BUSY`, until the call ends. */
  async retry<T>(call: Call, attempt: (end: CallEnd) => Promise<T>): Promise<T> {
    const { clock, random } = this.#environment;
    const end = this.#begin(call);
    if (call.limitMs === undefined && call.options?.signal === undefined) end.limit(clock, CALL_LIMIT_MS);
    const startedAtMs = clock.now().monotonicMs;
    try {
      for (let longestMs = FIRST_PAUSE_MS; ; longestMs = Math.min(longestMs * 2, LONGEST_PAUSE_MS)) {
        end.assertGoingOn();
        try {
          return await attempt(end);
        } catch (error) {
          if (!(error instanceof StoreError) || error.code !== 'STORE_BUSY' || error.outcome !== 'none') throw error;
          // A server without a place left is not asked for one again and again: the caller knows when.
          if (error.reason === 'too-many-connections') throw error;
          if (clock.now().monotonicMs - startedAtMs >= BUSY_LIMIT_MS) throw error;
        }
        // The random part keeps two that deadlocked from meeting again.
        await this.#pause(longestMs * random(), end);
      }
    } finally {
      end.dispose();
    }
  }

  /**
   * A write that commits by itself, and a look after it, for connections that take one statement at a time. `null` when the write changed nothing, or when it may not be committed; also when the
   * connection takes scripts, so that a transaction is as cheap. The number of rows says here what it says with and without `CLIENT_FOUND_ROWS`: above 0, the row has matched.
   */
  async runAlone<Row>(call: Call, [write, look]: readonly [Step, Step<Row>]): Promise<readonly [number, readonly Row[]] | null> {
    return await this.retry(call, async (end) => {
      const borrowed = await this.#borrow(call, end);
      if (borrowed.takesScripts) {
        borrowed.giveBack();
        return null;
      }
      try {
        const written = Object(await sendQuery(borrowed, end, write.sql)) as {
          readonly affectedRows?: number;
          readonly serverStatus?: number;
        };
        const status = written.serverStatus ?? STATUS_IN_TRANSACTION;
        const isCommitted = (status & STATUS_AUTOCOMMIT) !== 0 && (status & STATUS_IN_TRANSACTION) === 0;
        const count = isCommitted ? (written.affectedRows ?? 0) : 0;
        if (!isCommitted) await sendQuery(borrowed, end, ROLL_BACK);
        const rows = count > 0 ? decodeRows(look.columns!, await sendQuery(borrowed, end, look.sql)) : [];
        borrowed.giveBack();
        return count > 0 ? ([count, rows] as const) : null;
      } catch (error) {
        void this.#cleanUp(borrowed, error);
        throw toStoreError(call.operation, error, 'sent');
      }
    });
  }

  /** As {@link retry}, around calls of `run`; also goes on after an attempt that did only a part. */
  async repeat(call: Call, attempt: () => Promise<void>): Promise<void> {
    let last: StoreError | null = null;
    await this.retry(call, async () => {
      try {
        await attempt();
        last = null;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'STORE_BUSY' || error.reason === 'too-many-connections') throw error;
        last = error;
        throw new StoreError('STORE_BUSY', error.message, { cause: error, isRetryable: true, outcome: 'none' });
      }
    }).catch((error: unknown) => {
      throw last !== null && error instanceof StoreError && error.code === 'STORE_BUSY' ? last : error;
    });
  }

  /** A connection that takes scripts, for long. The caller destroys it. */
  async dedicate(call: Call): Promise<DedicatedConnection> {
    const end = this.#begin(call);
    try {
      const borrowed = await this.#borrow(call, end);
      return new DedicatedConnection(
        call.operation,
        borrowed,
        this.#begin({ operation: call.operation, options: undefined }),
        this.#environment.clock,
      );
    } finally {
      end.dispose();
    }
  }

  /** Waits for work that other calls may wait for, too; how it ends is up to itself. */
  async wait<T>(call: Call, work: Promise<T>): Promise<T> {
    const end = this.#begin(call);
    try {
      return await new Promise((resolve, reject) => {
        end.onOver(() => reject(end.error('none')));
        work.then(resolve, reject);
      });
    } finally {
      end.dispose();
    }
  }

  /** Fails if the call cannot even begin. */
  assertGoingOn(call: Call): void {
    const end = this.#begin(call);
    end.dispose();
    end.assertGoingOn();
  }

  /** Runs `body` with a connection for several statements. One that `body` does not give back is ended. */
  async lend<T>(call: Call, body: (loan: Loan) => Promise<T>): Promise<T> {
    const end = this.#begin(call);
    try {
      end.assertGoingOn();
      const borrowed = await this.#borrow(call, end, this.#lending);
      // From here on it is limited by who has borrowed it.
      end.liftLimit();
      let isGivenBack = false;
      try {
        return await body({
          connection: borrowed.connection,
          end,
          send: (statements) => this.#send(borrowed, end, statements),
          giveBack: (after) => {
            isGivenBack = true;
            return this.#tidy(borrowed, after);
          },
        });
      } finally {
        if (!isGivenBack) borrowed.destroy();
      }
    } finally {
      end.dispose();
    }
  }

  /** Ends every call, and the connections if they are ours. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const end of this.#calls) end.close();
    this.#source.close();
    this.#lending.close();
  }

  #begin({ operation, options, limitMs }: Call): CallEnd {
    const end = new CallEnd(operation, options?.signal, this.#calls);
    if (limitMs !== undefined) end.limit(this.#environment.clock, limitMs);
    if (this.#isClosed) end.close();
    return end;
  }

  async #transact(
    call: Call,
    end: CallEnd,
    kind: TransactionKind,
    isAmongOthers: boolean,
    steps: readonly Step<unknown>[],
  ): Promise<readonly unknown[]> {
    const borrowed = await this.#borrow(call, end);
    if (kind === 'write' && (isAmongOthers || !borrowed.takesScripts)) return await this.#transactGuarded(call, end, borrowed, steps);
    const { before, after } = AROUND[kind];
    let results: readonly unknown[];
    try {
      results = await this.#send(borrowed, end, [...before, ...steps.map(({ sql }) => sql), ...after]);
    } catch (error) {
      // Nobody waits for that: the answer is known.
      void this.#cleanUp(borrowed, error);
      throw toStoreError(call.operation, error, 'sent');
    }
    borrowed.giveBack();
    return resultsOf(steps, results.slice(before.length));
  }

  /** See {@link GUARDED}. */
  async #transactGuarded(
    call: Call,
    end: CallEnd,
    borrowed: BorrowedConnection,
    steps: readonly Step<unknown>[],
  ): Promise<readonly unknown[]> {
    const { before, after } = GUARDED;
    let results: readonly unknown[];
    try {
      results = await this.#send(borrowed, end, [...before, ...steps.map(({ sql }) => sql), ...after]);
      await sendQuery(borrowed, end, COMMIT);
    } catch (error) {
      void this.#cleanUp(borrowed, error, [ROLL_BACK, RESTORE]);
      throw serverNumber(error) === ER_SP_DOES_NOT_EXIST
        ? brokenOffError(call.operation, error)
        : toStoreError(call.operation, error, 'sent');
    }
    // Nobody waits for that: it is committed.
    void this.#tidy(borrowed, [RESTORE]);
    return resultsOf(steps, results.slice(before.length));
  }

  async #borrow(call: Call, end: CallEnd, source: ConnectionSource = this.#source): Promise<BorrowedConnection> {
    try {
      return await source.borrow(end, call.isUrgent === true);
    } catch (error) {
      throw toStoreError(call.operation, error, 'connecting');
    }
  }

  async #send(borrowed: BorrowedConnection, end: CallEnd, statements: readonly string[]): Promise<readonly unknown[]> {
    if (borrowed.takesScripts && statements.length > 1) return (await sendQuery(borrowed, end, statements.join(';\n'))) as unknown[];
    const results: unknown[] = [];
    for (const statement of statements) results.push(await sendQuery(borrowed, end, statement));
    return results;
  }

  /** A connection whose server answered with an error lives on, its transaction does not. Any other is ended, and never goes back to a pool. */
  async #cleanUp(borrowed: BorrowedConnection, error: unknown, statements: readonly string[] = [ROLL_BACK]): Promise<void> {
    if (error instanceof StoreError || serverNumber(error) === null || Reflect.get(Object(error), 'fatal') === true) {
      borrowed.destroy();
      return;
    }
    await this.#tidy(borrowed, statements);
  }

  /** Runs statements after which the connection is as it was, within a limit of their own, and gives it back; ends it if it cannot. */
  async #tidy(borrowed: BorrowedConnection, statements: readonly string[]): Promise<void> {
    const end = this.#begin({ operation: 'rollback', options: undefined });
    const timer = this.#environment.clock.schedule(ROLLBACK_LIMIT_MS, () => end.close());
    try {
      await this.#send(borrowed, end, statements);
      borrowed.giveBack();
    } catch {
      borrowed.destroy();
    } finally {
      timer.cancel();
      end.dispose();
    }
  }

  /** Resolves after `delayMs`, or when the call ends; the caller looks which. */
  #pause(delayMs: number, end: CallEnd): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#environment.clock.schedule(delayMs, resolve);
      end.onOver(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

/** What each step returns, out of what the driver returned for them. */
function resultsOf(steps: readonly Step<unknown>[], results: readonly unknown[]): readonly unknown[] {
  return steps.map(({ columns }, at) => {
    const result = results[at];
    return columns === null ? Number(Reflect.get(Object(result), 'affectedRows')) : decodeRows(columns, result);
  });
}

function brokenOffError(operation: string, cause: unknown): StoreError {
  return new StoreError('STORE_BUSY', `\`${operation}\` failed: another server of the cluster was first, and this one has rolled back`, {
    cause,
    isRetryable: true,
    outcome: 'none',
  });
}
