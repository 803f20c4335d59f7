import type { Comparison } from '../measure/comparison.js';
import type { Distribution } from '../measure/distribution.js';
import type { Bar } from './bar-chart.js';
import { atMost, figure, type Goal, type Row, type Table } from './table.js';

/** One line of a table of comparisons. */
export interface Compared {
  readonly subject: string;
  readonly comparison: Comparison;
  /** The most that the ratio may be. Default: no goal. */
  readonly goal?: number | undefined;
}

/** What the two sides are called. */
interface Names {
  readonly ours: string;
  readonly theirs: string;
}

/** Times beside times, and their ratio by pairs. */
export function comparisonTable(title: string, names: Names, lines: readonly Compared[]): Table {
  return {
    title,
    columns: ['', `${names.ours} p50 ms`, 'p99', `${names.theirs} p50 ms`, 'p99', 'ratio', 'p10–p90', 'CPU ratio'],
    rows: lines.map(({ subject, comparison, goal }): Row => {
      const { ours, theirs, ratio, cpuRatio } = comparison;
      return {
        cells: [
          subject,
          ...[ours.median, ours.p99, theirs.median, theirs.p99].map(figure),
          ...ratioCells(ratio),
          cpuRatio.median.toFixed(2),
        ],
        data: { subject, ...comparison },
        goal: ratioGoal(goal, ratio),
      };
    }),
  };
}

/** Processor times beside processor times, in µs. */
export function processorTable(title: string, names: Names, lines: readonly Compared[]): Table {
  return {
    title,
    columns: ['', `${names.ours} µs`, `${names.theirs} µs`, 'ratio', 'p10–p90'],
    rows: lines.map(({ subject, comparison, goal }): Row => {
      const { ourCpu, theirCpu, cpuRatio } = comparison;
      return {
        cells: [subject, figure(ourCpu.median * 1_000), figure(theirCpu.median * 1_000), ...ratioCells(cpuRatio)],
        data: { subject, ourCpu, theirCpu, cpuRatio },
        goal: ratioGoal(goal, cpuRatio),
      };
    }),
  };
}

function ratioCells(ratio: Distribution): readonly string[] {
  return [ratio.median.toFixed(2), `${ratio.p10.toFixed(2)}–${ratio.p90.toFixed(2)}`];
}

/** As the ratio is shown: 1.104 is 1.10. */
function ratioGoal(goal: number | undefined, ratio: Distribution): Goal | undefined {
  return goal === undefined ? undefined : atMost(goal, Number(ratio.median.toFixed(2)));
}

/** The ratios as bars. */
export function ratioBars(lines: readonly Compared[]): readonly Bar[] {
  return lines.map(({ subject, comparison: { ratio } }) => ({ label: subject, value: ratio.median, low: ratio.p10, high: ratio.p90 }));
}
