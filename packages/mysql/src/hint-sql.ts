/**
 * The statements of the connection that watches (W1). MySQL has nothing to subscribe to, so one watcher of all looks, and the others wait for it without any work: the *bell*.
 *
 * The bell is a named lock. Who has it looks every few ms whether something has changed, and lets go of it when something has. The server then hands it from one
 * waiter to the next; each looks, and passes it on if it sees a change, too; the first that sees none keeps it, and looks from now on. The decision is made on the server, in the packet that waited, so that
 * the bell goes round without a round trip for each watcher.
 *
 * Nothing but the time of a look depends on the lock. Each watcher compares what it sees with what it has seen itself, so none can miss a change for longer than it waits for the bell.
 *
 * @module
 */
import type { ChangedGroup, SessionState } from '@wb/sql';
import { asBytes, asked } from './mysql-fragments.js';
import type { StatementCompiler, Step, StepFactory } from './mysql-statement.js';

/** How long a watcher waits for the bell before it looks by itself, in whole seconds, which is the server's unit. Each wait is also the probe of its connection. */
export const BELL_WAIT_SECONDS = 10;
/** How long the server keeps the connection, and with it the bell, of a watcher that has stopped looking, in s: a frozen process must not keep the bell. */
const FROZEN_SECONDS = 5;

export interface HintSql {
  /** Settings of the connection, which is the store's own. */
  readonly settings: readonly [Step, Step, Step, Step];
  /** Waits for the bell. `got` is 1 when this connection has it now. */
  readonly awaitBell: Step<{ readonly got: number }>;
  /** A checksum of everything that a grant, a release or a close changes, and a heartbeat does not; kept in `@wb_mark`. One row a process: there is no counter that all would write to. */
  readonly takeMark: Step;
  /** Passes the bell on, if the mark is another one than `seen`. */
  readonly passIfChanged: StepFactory<{ seen: number }>;
  /** The mark that was taken last, and whether the bell is this connection's: behind a pooler, or where named locks do nothing, it is not, and then nobody may look all the time. */
  readonly mark: Step<{ readonly mark: number; readonly hasBell: number }>;
  readonly leaveBell: Step;
  readonly sessionStates: Step<SessionState>;
  /** Groups that are free, and groups of the sessions: those that may have changed. At most `limit` of each kind. */
  readonly changedGroups: StepFactory<{ sessionIds: string; limit: number }, ChangedGroup>;
  /** Those of the sessions' first `limit` groups whose leaders were asked to resign (R1). */
  readonly resignGroups: StepFactory<{ sessionIds: string; limit: number }, { readonly groupId: string }>;
}

/** Prepares {@link HintSql}, once for a store. */
export function compileHintSql({ read, write }: StatementCompiler, namespace: string): HintSql {
  const bare = (sql: string): Step => write(sql)({});
  return Object.freeze<HintSql>({
    settings: [
      bare('set session autocommit = 1'),
      bare(`set session wait_timeout = ${FROZEN_SECONDS}`),
      // Waiting is no work: it does not belong in the log of slow statements.
      bare('set session long_query_time = 3600'),
      // The names of locks are the server's, not the database's, and at most 64 characters long.
      write<{ namespace: string }>(`set @wb_bell = concat('wb_', left(sha2(concat(database(), '/', :namespace), 256), 40))`)({ namespace }),
    ],
    awaitBell: read<Record<never, never>, { readonly got: number }>(`select coalesce(get_lock(@wb_bell, ${BELL_WAIT_SECONDS}), 0)`, {
      got: 'integer',
    })({}),
    takeMark: bare(
      // Not the checksum of the text itself: the same change in two rows changes both of its checksums by the same bits, and so the whole not at all.
      `select coalesce(bit_xor(crc32(sha2(concat_ws(' ', session_id, grant_count, release_count, closed), 224))), 0) into @wb_mark from {session}`,
    ),
    passIfChanged: write('do if(@wb_mark = :seen, 0, release_lock(@wb_bell))'),
    mark: read<Record<never, never>, { readonly mark: number; readonly hasBell: number }>(
      'select @wb_mark, coalesce(is_used_lock(@wb_bell) = connection_id(), 0)',
      { mark: 'integer', hasBell: 'integer' },
    )({}),
    leaveBell: bare('do release_lock(@wb_bell)'),
    sessionStates: read<Record<never, never>, SessionState>(
      `select ${asBytes('session_id')}, grant_count, release_count, closed from {session}`,
      { sessionId: 'text', grantCount: 'integer', releaseCount: 'integer', closed: 'integer' },
    )({}),
    changedGroups: read(
      `(select ${asBytes('l.group_id')}, 1 from {lease} l where l.session_id is null limit :limit)
      union all (select ${asBytes('l.group_id')}, s.closed is null or s.closed <> 0 from ${asked(':sessionIds')} straight_join {lease} l on l.session_id = asked.name
        left join {session} s on s.session_id = l.session_id limit :limit)`,
      { groupId: 'text', isFree: 'integer' },
    ),
    resignGroups: read(
      `select ${asBytes('l.group_id')} from (
          select l.group_id, l.term from ${asked(':sessionIds')} straight_join {lease} l on l.session_id = asked.name limit :limit
        ) l straight_join {term} t on t.group_id = l.group_id and t.term = l.term where t.resign = 1`,
      { groupId: 'text' },
    ),
  });
}
