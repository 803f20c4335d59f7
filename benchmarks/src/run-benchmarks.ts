import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Benchmark, BenchmarkResult } from './benchmark.js';
import { loadBenchmark, type BenchmarkName } from './benchmarks.js';
import type { BenchDatabase } from './databases/bench-database.js';
import { startDatabase, type DatabaseName } from './databases/index.js';
import { nowMs } from './measure/clock.js';
import { barChart } from './report/bar-chart.js';
import { describeMachine, formatMachine } from './report/machine.js';
import { ProgressLine } from './report/progress-line.js';
import { formatTable, markdownTable, verdict } from './report/table.js';

export interface BenchmarkSelection {
  readonly names: readonly BenchmarkName[];
  readonly targets: readonly DatabaseName[];
  readonly isQuick: boolean;
  /** How often a failover is repeated; `null`: as usual. */
  readonly runs: number | null;
  /** How long the soak lasts; `null`: as usual. */
  readonly soakMinutes: number | null;
  /** Where reports go. */
  readonly folder: string;
}

/** Runs benchmarks one after the other, prints their tables, and writes for each a JSON file, a chart, and its tables as Markdown. Returns 1 if one could not be run. */
export async function runBenchmarks({ names, targets, isQuick, runs, soakMinutes, folder: given }: BenchmarkSelection): Promise<number> {
  const folder = resolve(given);
  mkdirSync(folder, { recursive: true });
  const machine = describeMachine();
  const startedAtMs = nowMs();
  const progress = new ProgressLine();
  const databases: BenchDatabase[] = [];
  let failureCount = 0;
  try {
    console.log(`${formatMachine(machine)}${isQuick ? '\nA quick run: the figures are rough.' : ''}`);
    progress.show(`starting ${targets.join(', ')}`);
    const started = await Promise.allSettled(targets.map((target) => startDatabase(target)));
    for (const [at, outcome] of started.entries()) {
      if (outcome.status === 'rejected') {
        failureCount += 1;
        progress.print(`${targets[at]}: could not be started: ${String(outcome.reason)}`);
      } else if (typeof outcome.value === 'string') progress.print(`${targets[at]}: left out: ${outcome.value}`);
      else {
        databases.push(outcome.value);
        progress.print(outcome.value.title);
      }
    }
    const titles = databases.map(({ title }) => title);
    for (const name of names) {
      const benchmark = await loadBenchmark(name);
      const beganAtMs = nowMs();
      try {
        const result = await benchmark.run({
          databases,
          isQuick,
          runs,
          soakMinutes,
          progress: (what) => progress.show(`${name}: ${what}`),
        });
        progress.print(
          `\n${name}: ${benchmark.question}\n\n${format(benchmark, result)}\n\n(${((nowMs() - beganAtMs) / 1_000).toFixed(0)} s)`,
        );
        const header = { benchmark: name, question: benchmark.question, isQuick, machine, databases: titles };
        writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ ...header, ...dataOf(benchmark, result) }, null, 2)}\n`);
        writeFileSync(join(folder, `${name}.svg`), barChart(result.chart));
        writeFileSync(join(folder, `${name}.md`), `${result.tables.map(markdownTable).join('\n\n')}\n`);
      } catch (error) {
        failureCount += 1;
        progress.print(`\n${name}: failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  } finally {
    progress.end();
    for (const database of databases) await database.stop();
  }
  console.log(`\n${((nowMs() - startedAtMs) / 1_000).toFixed(0)} s; JSON, charts and tables are in ${given}`);
  return failureCount === 0 ? 0 : 1;
}

function format(benchmark: Benchmark, result: BenchmarkResult): string {
  const { tables, notes } = result;
  const findings = findingsOn(benchmark, result).map((finding) => `NOT MET, by profiling: ${finding}`);
  return [
    ...tables.filter(({ rows }) => rows.length > 0).map(formatTable),
    ...(findings.length > 0 ? [findings.join('\n')] : []),
    notes.map((note) => `· ${note}`).join('\n'),
  ].join('\n\n');
}

/** None if all goals are met. */
function findingsOn({ findings = [] }: Benchmark, { tables }: BenchmarkResult): readonly string[] {
  return tables.some(({ rows }) => rows.some(({ goal }) => goal?.isMet === false)) ? findings : [];
}

function dataOf(benchmark: Benchmark, result: BenchmarkResult): object {
  const { tables, notes } = result;
  return {
    tables: tables.map(({ title, rows }) => ({
      title,
      rows: rows.map(({ data, goal }) => ({ ...data, ...(goal !== undefined && { goal: goal.text, verdict: verdict(goal) }) })),
    })),
    findings: findingsOn(benchmark, result),
    notes,
  };
}
