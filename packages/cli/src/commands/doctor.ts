import type { Command } from 'commander';
import type { Timings } from '@wb/core';
import { machineClock } from '../clock.js';
import { CliError, EXIT } from '../cli-error.js';
import { givenTimings, openNamed, seconds, secondsOption, withCommonOptions, type CommonOptions, type Opened } from '../common-options.js';
import { examine } from '../doctor/examination.js';
import { problemsOf, reportJson, reportText } from '../doctor/report.js';
import { print, say } from '../output.js';
import { describeTarget } from '../store-target.js';

interface DoctorOptions extends CommonOptions {
  readonly ttl?: number;
  readonly heartbeat?: number;
  readonly for: number;
  readonly survive: number;
  readonly json?: boolean;
}

/** No call of a store that is worth using takes longer, in ms. */
const CALL_DEADLINE_MS = 10_000;

/** `wb doctor`: looks for whatever makes the store slow, unsafe or impossible. */
export function doctorCommand(program: Command): void {
  withCommonOptions(program.command('doctor'))
    .summary('look at the store: rights, tables, settings, replication, clocks, times; and recommend a TTL')
    .description(
      'Looks at the store, with the role that is to use it: its version, the rights of the role, the tables, durability, replication, a pooler in between, the clocks, and how long a heartbeat takes. Recommends a TTL and a heartbeat, with the reason. ' +
        'Changes nothing but a session of its own, which it extends some fifty times a second and closes. Exit code 1 when there is a problem.',
    )
    .addOption(secondsOption('--for <seconds>', 'how long to measure, and to watch the clocks', 2_000))
    .addOption(
      secondsOption('--survive <seconds>', 'how long the database may be away, for a restart or a failover, without a leader stopping', 0),
    )
    .option('--ttl <seconds>', 'also judge this TTL', seconds)
    .option('--heartbeat <seconds>', 'and this heartbeat', seconds)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  wb doctor --store postgres://app@db/app\n  wb doctor --config Config.toml\n  wb doctor --survive 30 --json',
    )
    .action(async (options: DoctorOptions) => {
      const opened = await openNamed(options, say, 'look');
      const { store, target } = opened;
      try {
        if (store.diagnose === undefined || store.readClock === undefined) throw new CliError('the store cannot be examined');
        const examination = await examine(store, {
          clock: machineClock,
          forMs: options.for,
          callDeadlineMs: CALL_DEADLINE_MS,
          timings: timingsOf(options, opened),
          surviveMs: options.survive,
        });
        print(options.json === true ? reportJson(examination, describeTarget(target)) : reportText(examination));
        if (problemsOf(examination) > 0) process.exitCode = EXIT.unwell;
      } finally {
        await store.close();
      }
    });
}

function timingsOf(options: DoctorOptions, { file }: Opened): Timings | null {
  return options.ttl === undefined && options.heartbeat === undefined && file === null ? null : givenTimings(options, file);
}
