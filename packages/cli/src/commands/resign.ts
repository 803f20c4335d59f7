import type { Command } from 'commander';
import { createCoordinator, type LeaseHolder } from '@wb/core';
import { awaitObservation } from '../await-observation.js';
import { machineClock } from '../clock.js';
import { CliError, EXIT } from '../cli-error.js';
import { openNamed, secondsOption, withCommonOptions, type CommonOptions } from '../common-options.js';
import { withinDeadline } from '../doctor/within-deadline.js';
import { print, say } from '../output.js';

/** `wb resign`: asks the leader to hand over, and waits until it has. */
export function resignCommand(program: Command): void {
  withCommonOptions(program.command('resign'))
    .summary('ask the leader of a group to hand over, and wait until it has')
    .description(
      'Asks the leader to hand over gracefully: it ends its work, and releases the lease. It sees the request with its next heartbeat, or at once where the database pushes hints. ' +
        'Prints the member and the term that led. Exit code 124 when --timeout has passed: the request stands all the same.',
    )
    .argument('<group>', 'the group')
    .addOption(secondsOption('--timeout <seconds>', 'how long to wait at most', 60_000))
    .addHelpText('after', '\nExamples:\n  wb resign billing\n  wb resign billing --timeout 10')
    .action(async (groupId: string, options: CommonOptions & { readonly timeout: number }) => {
      const { store } = await openNamed(options, say, 'look');
      const coordinator = createCoordinator({ store, memberId: 'wb-resign', ttlMs: 5_000, heartbeatMs: 500, migrate: false });
      try {
        if (store.requestResign === undefined) throw new CliError('the store cannot pass on requests to resign');
        const answer = await withinDeadline(machineClock, options.timeout, (within) => store.requestResign!(groupId, within));
        if (answer.kind === 'not-held') {
          say(`nobody leads ${JSON.stringify(groupId)}`);
          return;
        }
        const { memberId, term } = answer.holder;
        const awaited = await awaitObservation(coordinator, groupId, {
          timeoutMs: options.timeout,
          isSeen: (observation) => observation.leader === null || observation.term > term,
          mayLackTables: false,
        });
        if (awaited.kind === 'timed-out') throw notOver(awaited.fault, groupId, answer.holder, options.timeout);
        print(`${memberId} ${term}`);
      } finally {
        await coordinator.close();
        await store.close();
      }
    });
}

function notOver(fault: Error | null, groupId: string, { memberId, term }: LeaseHolder, timeoutMs: number): CliError {
  const after = `after ${timeoutMs / 1_000} s`;
  if (fault !== null) {
    return new CliError(
      `it is not known ${after} whether ${memberId} still leads ${JSON.stringify(groupId)} in term ${term}: ${fault.message}`,
      {
        exitCode: EXIT.timedOut,
        hint: 'the request stands',
      },
    );
  }
  return new CliError(`${memberId} still leads ${JSON.stringify(groupId)} in term ${term} ${after}`, {
    exitCode: EXIT.timedOut,
    hint: 'its work may not heed its signal; the request stands',
  });
}
