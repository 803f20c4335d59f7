import type { BenchDatabase } from './databases/bench-database.js';
import type { BarChart } from './report/bar-chart.js';
import type { Table } from './report/table.js';

/** What a benchmark may use. */
export interface BenchmarkContext {
  readonly databases: readonly BenchDatabase[];
  /** A few turns only, to see that everything works: the figures are rough. */
  readonly isQuick: boolean;
  /** How often a failover is repeated, if it is given. */
  readonly runs: number | null;
  /** How long the soak lasts, if it is given. */
  readonly soakMinutes: number | null;
  /** Says what is going on. */
  readonly progress: (what: string) => void;
}

export interface BenchmarkResult {
  readonly tables: readonly Table[];
  readonly chart: BarChart;
  /** What has to be known to read the tables. */
  readonly notes: readonly string[];
}

/** One question, and how it is answered. */
export interface Benchmark {
  readonly name: string;
  readonly question: string;
  /** Where the time goes that keeps it from its goals, as found by profiling: printed if one is not met. */
  readonly findings?: readonly string[];
  readonly run: (context: BenchmarkContext) => Promise<BenchmarkResult>;
}
