import type { Command } from 'commander';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { duration, print, say, table } from '../output.js';

/** `wb members`: the live sessions. */
export function membersCommand(program: Command): void {
  withCommonOptions(program.command('members'))
    .summary('list the live members')
    .description('Lists the live sessions of the store, the oldest first.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  wb members\n  wb members --json --store postgres://app@db/app')
    .action(async (options: CommonOptions & { readonly json?: boolean }) => {
      const { store } = await openNamed(options, say, 'look');
      try {
        const members = await store.members();
        if (options.json === true) print(JSON.stringify(members, null, 2));
        else {
          print(
            table(
              ['MEMBER', 'SESSION', 'AGE', 'REMAINING', 'LEADS', 'CONTENDS', 'METADATA'],
              members.map((member) => [
                member.memberId,
                member.sessionId,
                duration(member.ageMs),
                duration(member.remainingMs),
                String(member.leaseCount),
                String(member.contendCount),
                Object.entries(member.metadata)
                  .map(([key, value]) => `${key}=${value}`)
                  .join(' '),
              ]),
            ),
          );
        }
      } finally {
        await store.close();
      }
    });
}
