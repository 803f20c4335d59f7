/**
 * The statements of the connection that watches (W1). All only read. `cross join` keeps SQLite from walking through all leases or all terms instead of looking up those that are asked for, which it would once the database is analyzed.
 *
 * @module
 */
import { statement, type ChangedGroup, type SessionState, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { asked } from './sqlite-fragments.js';

/** How many different weights sessions have; a prime. */
const WEIGHTS = 9_973;

export interface HintSql {
  /**
   * A number that every grant, release, request to resign and close changes, and a heartbeat does not, so that most looks read no more. Each session weighs differently: a sum of the counts alone would stay the same when one
   * session is pruned and the next, opened by the same call, is granted as much.
   */
  readonly mark: SqlStatement<Record<never, never>, { readonly mark: number }>;
  readonly sessionStates: SqlStatement<Record<never, never>, SessionState>;
  /** Groups that are free, and groups of the sessions: those that may have changed. At most `limit` of each kind. */
  readonly changedGroups: SqlStatement<{ sessionIds: string; limit: number }, ChangedGroup>;
  /** Those of the sessions' first `limit` groups whose leaders were asked to resign (R1). */
  readonly resignGroups: SqlStatement<{ sessionIds: string; limit: number }, { readonly groupId: string }>;
}

/** Compiles {@link HintSql}, once for a store. */
export function compileHintSql(db: Kysely<WbTables>): HintSql {
  return Object.freeze<HintSql>({
    mark: statement(() =>
      db
        .selectFrom('session')
        .select(
          sql<number>`total((31 * grant_count + 17 * release_count + 7 * closed) * (1 + opened_at_ms % ${sql.lit(WEIGHTS)}))`.as('mark'),
        ),
    ),

    sessionStates: statement(() =>
      db.selectFrom('session').select(['session_id as sessionId', 'grant_count as grantCount', 'release_count as releaseCount', 'closed']),
    ),

    changedGroups: statement((p) =>
      db
        .selectFrom(db.selectFrom('lease as l').where('l.session_id', 'is', null).select('l.group_id as groupId').limit(p.limit).as('free'))
        .select(['groupId', sql<number>`1`.as('isFree')])
        .unionAll(
          db
            .selectFrom(
              db
                .selectFrom(asked(p.sessionIds).as('asked'))
                .crossJoin('lease as l')
                .whereRef('l.session_id', '=', 'asked.value')
                .leftJoin('session as s', 's.session_id', 'l.session_id')
                .select(['l.group_id as groupId', sql<number>`s.closed is not 0`.as('isFree')])
                .limit(p.limit)
                .as('theirs'),
            )
            .select(['groupId', 'isFree']),
        ),
    ),

    resignGroups: statement((p) =>
      db
        .selectFrom(
          db
            .selectFrom(asked(p.sessionIds).as('asked'))
            .crossJoin('lease as l')
            .whereRef('l.session_id', '=', 'asked.value')
            .select(['l.group_id', 'l.term'])
            .limit(p.limit)
            .as('theirs'),
        )
        .crossJoin('term as t')
        .whereRef('t.group_id', '=', 'theirs.group_id')
        .whereRef('t.term', '=', 'theirs.term')
        .where('t.resign', '=', 1)
        .select('t.group_id as groupId'),
    ),
  });
}
