import { Argument, type Command } from 'commander';
import { describeCommands } from '../command-descriptions.js';
import { bashCompletion } from '../completion/bash-completion.js';
import { fishCompletion } from '../completion/fish-completion.js';
import { zshCompletion } from '../completion/zsh-completion.js';
import { print } from '../output.js';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** `wb completion`: a script for a shell. */
export function completionCommand(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes wb in a shell')
    .description('Prints a script with which a shell completes the commands and options of wb. It asks no database.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .addHelpText(
      'after',
      `
Examples:
  eval "$(wb completion bash)"
  eval "$(wb completion zsh)"
  wb completion fish > ~/.config/fish/completions/wb.fish`,
    )
    .action((shell: keyof typeof SHELLS) => print(SHELLS[shell](describeCommands(program)).trimEnd()));
}
