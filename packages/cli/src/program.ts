import { createRequire } from 'node:module';
import { Command } from 'commander';
import { completionCommand } from './commands/completion.js';
import { doctorCommand } from './commands/doctor.js';
import { guardCommand } from './commands/guard.js';
import { historyCommand } from './commands/history.js';
import { jobsCommand } from './commands/jobs.js';
import { membersCommand } from './commands/members.js';
import { migrateCommand } from './commands/migrate.js';
import { resignCommand } from './commands/resign.js';
import { runCommand } from './commands/run.js';
import { statusCommand } from './commands/status.js';
import { waitCommand } from './commands/wait.js';
import { EXIT_CODES } from './exit-codes.js';
import { withoutSecrets } from './secrets.js';

/** The definitions of all commands. */
export function createProgram(): Command {
  const program = new Command('wb')
    .description('Warm backup for any program: one leader, warm standbys, takeover by itself, over the database that you already have.')
    .version(packageVersion(), '--version', 'show the version')
    .enablePositionalOptions()
    .exitOverride()
    // It repeats what was given: an option that is mistyped may come with a secret.
    .configureOutput({ outputError: (text, write) => write(withoutSecrets(text)) })
    .addHelpText('after', `\nExit codes:\n${EXIT_CODES.map(({ code, meaning }) => `  ${code.padEnd(8)} ${meaning}`).join('\n')}`);
  runCommand(program);
  statusCommand(program);
  membersCommand(program);
  historyCommand(program);
  resignCommand(program);
  jobsCommand(program);
  waitCommand(program);
  migrateCommand(program);
  guardCommand(program);
  doctorCommand(program);
  completionCommand(program);
  return program;
}

function packageVersion(): string {
  return (createRequire(import.meta.url)('../package.json') as { readonly version: string }).version;
}
