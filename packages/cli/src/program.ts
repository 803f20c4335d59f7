import { Command } from 'commander';
import { membersCommand } from './commands/members.js';
import { migrateCommand } from './commands/migrate.js';
import { runCommand } from './commands/run.js';
import { statusCommand } from './commands/status.js';
import { waitCommand } from './commands/wait.js';

/** The definitions of all commands. */
export function createProgram(): Command {
  const program = new Command('wb')
    .description('Warm backup for any program: one leader, warm standbys, takeover by itself, over the database that you already have.')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes:
  124  the time given by --timeout has passed
  125  wb itself failed
  126  COMMAND cannot be run
  127  COMMAND was not found
  128 + n  signal n ended COMMAND, or wb while it stood by
  else that of COMMAND`,
    );
  runCommand(program);
  statusCommand(program);
  membersCommand(program);
  waitCommand(program);
  migrateCommand(program);
  return program;
}
