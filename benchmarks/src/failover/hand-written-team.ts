import pg from 'pg';
import type { BenchDatabase } from '../databases/bench-database.js';
import { handWrittenDdl } from './hand-written.js';
import { Team, type TeamOptions } from './team.js';

/** Runs `work` with two members that lead by hand-written SQL. */
export async function withHandWritten<T>(
  database: BenchDatabase,
  timings: Omit<TeamOptions, 'kind' | 'remainingMs'>,
  work: (team: Team) => Promise<T>,
): Promise<T> {
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  try {
    await admin.query(handWrittenDdl(timings.namespace));
    const remainingMs = async (): Promise<number> => {
      const { rows } = await admin.query<{ ms: number }>(
        `select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from ${database.table(timings.namespace, 'lock')}`,
      );
      return rows[0]!.ms;
    };
    const team = await Team.start({ kind: 'hand-written', ...timings, remainingMs });
    try {
      return await work(team);
    } finally {
      await team.end();
    }
  } finally {
    await admin.end();
  }
}
