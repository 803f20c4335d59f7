import type { CommandDescription, OptionDescription, ValueKind } from '../command-descriptions.js';

/** A script for fish: to be put as `wb.fish` into `~/.config/fish/completions`. */
export function fishCompletion(commands: readonly CommandDescription[]): string {
  const names = commands.map(({ name }) => name);
  return [
    '# fish completion of wb, made by `wb completion fish`',
    'complete -c wb -f',
    "complete -c wb -n '__fish_use_subcommand' -s h -l help -d 'display help'",
    ...commands.map(({ name, summary }) => `complete -c wb -n '__fish_use_subcommand' -a ${name} -d ${quoted(summary)}`),
    ...commands.flatMap((command) => lines(command, names)),
    '',
  ].join('\n');
}

function lines({ name, options, arguments: args, isRunner }: CommandDescription, commands: readonly string[]): readonly string[] {
  const start = `complete -c wb -n '__fish_seen_subcommand_from ${name}'`;
  const [first] = args;
  const operands: string[] = [];
  if (name === 'help') operands.push(`${start} -a ${quoted(commands.join(' '))}`);
  else if (isRunner) operands.push(`${start} -F -a '(__fish_complete_command)'`);
  else if (first !== undefined && first.kind === 'choice') operands.push(`${start} -a ${quoted(first.choices.join(' '))}`);
  return [...options.map((option) => `${start} ${optionText(option)}`), ...operands];
}

function optionText({ names, value, description }: OptionDescription): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  return `${flags}${value === null ? '' : valueText(value.kind, value.choices)} -d ${quoted(description)}`;
}

function valueText(kind: ValueKind, choices: readonly string[]): string {
  switch (kind) {
    case 'file':
      return ' -r -F';
    case 'choice':
      return ` -x -a ${quoted(choices.join(' '))}`;
    case 'program':
    case 'other':
      return ' -x';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
