/**
 * The statements of the connection that watches (W1). All only read.
 *
 * @module
 */
import { statement, type ChangedGroup, type SessionState, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { asked } from './sqlite-fragments.js';

export interface HintSql {
  readonly sessionStates: SqlStatement<Record<never, never>, SessionState>;
  /** Groups that are free, and groups of the sessions: those that may have changed. At most `limit` of each kind. */
  readonly changedGroups: SqlStatement<{ sessionIds: string; limit: number }, ChangedGroup>;
  /** Groups of the sessions whose leaders were asked to resign (R1), at most `limit`. */
  readonly resignGroups: SqlStatement<{ sessionIds: string; limit: number }, { readonly groupId: string }>;
}

/** Compiles {@link HintSql}, once for a store. */
export function compileHintSql(db: Kysely<WbTables>): HintSql {
  return Object.freeze<HintSql>({
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
                .innerJoin('lease as l', 'l.session_id', 'asked.value')
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
        .selectFrom(asked(p.sessionIds).as('asked'))
        .innerJoin('lease as l', 'l.session_id', 'asked.value')
        .innerJoin('term as t', (join) => join.onRef('t.group_id', '=', 'l.group_id').onRef('t.term', '=', 'l.term'))
        .where('t.resign', '=', 1)
        .select('l.group_id as groupId')
        .limit(p.limit),
    ),
  });
}
