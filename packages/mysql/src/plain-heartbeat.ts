import { MAX_STANDBY_RANK, type HeartbeatRequest, type HeartbeatResult } from '@wb/core';
import { asked, isCredible, isLive, NOW_US, remainingMs } from './mysql-fragments.js';
import { SERVER } from './server-identity.js';
import type { Call, MysqlClient } from './mysql-client.js';
import type { StatementCompiler, StepFactory } from './mysql-statement.js';

/** One row for each holder, at least one in all. */
interface AnswerRow {
  readonly closed: number;
  readonly grantCount: number;
  readonly rank: number;
  readonly place: number | null;
  readonly remainingMs: number | null;
  readonly releaseCount: number | null;
  readonly server: string;
}

/** The statements of {@link plainHeartbeat}. */
export interface PlainHeartbeatSql {
  readonly beatAlone: StepFactory<{ sessionId: string }>;
  readonly answer: StepFactory<{ sessionId: string; holders: string }, AnswerRow>;
}

/**
 * The clock while a row is looked at, which is after its lock was waited for (T1): the statement's start, which no zone touches, and what has passed since. That is the difference of two
 * times of the session's zone; an hour that the zone jumps in between makes it absurd, and then the statement does nothing.
 */
const ELAPSED_US = 'timestampdiff(microsecond, now(6), sysdate(6))';
/** Rounded down once: two roundings would make it as late as 2 ms. */
const NOW_AT_ROW_MS = `((${NOW_US} + ${ELAPSED_US}) div 1000)`;
const ELAPSED_LIMIT_US = 600_000_000;

export function compilePlainHeartbeatSql({ read, write }: StatementCompiler): PlainHeartbeatSql {
  return Object.freeze<PlainHeartbeatSql>({
    beatAlone: write(`
      update {session} set expires_at_ms = ${NOW_AT_ROW_MS} + ttl_ms
      where session_id = :sessionId and closed = 0 and expires_at_ms > ${NOW_AT_ROW_MS} and ${ELAPSED_US} between 0 and ${ELAPSED_LIMIT_US}`),

    answer: read(
      `select me.closed, me.grant_count,
        if(json_length(:holders) = 0, 0, (select count(*) from (select 1 from {session} i straight_join {session} o
          where i.session_id = :sessionId and ${isLive('o')}
          and (o.opened_at_ms < i.opened_at_ms or (o.opened_at_ms = i.opened_at_ms and o.session_id < i.session_id))
          and not exists (select 1 from ${asked(':holders')} where asked.name = o.session_id) limit ${MAX_STANDBY_RANK}) older)),
        asked.place, if(${isLive('s')} and ${isCredible('s')}, ${remainingMs('s')}, 0), s.release_count, ${SERVER}
      from {session} me left join ${asked(':holders')} on true left join {session} s on s.session_id = asked.name
      where me.session_id = :sessionId`,
      {
        closed: 'integer',
        grantCount: 'integer',
        rank: 'integer',
        place: 'integer',
        remainingMs: 'integer',
        releaseCount: 'integer',
        server: 'text',
      },
    ),
  });
}

/**
 * The heartbeat where a transaction would take a round trip for each of its statements: one guarded update that commits by itself, and one look. `null` if the update has not, for certain,
 * extended the session: what that means is for a transaction to say.
 *
 * Should the server run with `--sysdate-is-now`, a heartbeat that waited for its row would go by the time before the wait. Even then none gets past a takeover: who takes a
 * group over has closed the session in the same transaction (L5).
 */
export async function plainHeartbeat(
  client: MysqlClient,
  call: Call,
  sql: PlainHeartbeatSql,
  { sessionId, holders }: HeartbeatRequest,
  isLostOn: (server: string) => Promise<boolean>,
): Promise<HeartbeatResult | null> {
  const results = await client.runAlone(call, [sql.beatAlone({ sessionId }), sql.answer({ sessionId, holders: JSON.stringify(holders) })]);
  if (results === null) return null;
  const own = results[1][0];
  if (own === undefined || own.closed !== 0 || (await isLostOn(own.server))) return { alive: false };
  const health = new Map(results[1].map((row) => [row.place, row]));
  return {
    alive: true,
    grantCount: own.grantCount,
    standbyRank: own.rank,
    holders: holders.map((holderId, at) => {
      const row = health.get(at + 1);
      return { sessionId: holderId, remainingMs: row?.remainingMs ?? 0, releaseCount: row?.releaseCount ?? 0 };
    }),
  };
}
