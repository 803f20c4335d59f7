import { Command } from 'commander';
import { describeCommands, describeOptions, type CommandDescription, type OptionDescription } from '../command-descriptions.js';
import { withCommonOptions } from '../common-options.js';
import { EXIT_CODES } from '../exit-codes.js';

/** The page about the command, in Markdown: of the definitions from which its help is made. */
export function commandPage(program: Command): string {
  const common = describeOptions(withCommonOptions(new Command('common')));
  const shared = new Set(common.map(({ flags }) => flags));
  const commands = describeCommands(program).filter(({ name }) => name !== 'help');
  return [
    '# wb',
    '',
    '<!-- Made by `node scripts/command-page.mjs` of the definitions of the commands: not to be edited. -->',
    '',
    program.description(),
    '',
    'How it is used, and what happens when something dies, is in the [README](../packages/cli/README.md). `wb help COMMAND` shows on a terminal what is here.',
    '',
    '## Commands',
    '',
    ...markdownTable(
      ['Command', 'What it does'],
      commands.map(({ name, summary }) => [`[\`wb ${name}\`](#wb-${name})`, summary]),
    ),
    '',
    '## Options of all commands that use a store',
    '',
    ...optionTable(common),
    '',
    ...commands.flatMap((command) => [...commandPart(command, shared), '']),
    '## Exit codes',
    '',
    ...markdownTable(
      ['Code', 'Meaning'],
      EXIT_CODES.map(({ code, meaning }) => [code, meaning]),
    ),
    '',
    '## Environment',
    '',
    ...markdownTable(
      ['Variable', 'What it says'],
      [
        ['`WB_STORE`', 'the store, if neither `--store` nor `--config` names one: out of sight of other users, unlike the command line'],
        ['`WB_DATABASE_USER`, `WB_DATABASE_PASSWORD`', "go before what `--config`'s file says"],
        ['`WB_GROUP`, `WB_TERM`, `WB_MEMBER`', 'given to COMMAND by `wb run`'],
      ],
    ),
    '',
  ].join('\n');
}

function commandPart(command: CommandDescription, shared: ReadonlySet<string>): readonly string[] {
  const own = command.options.filter(({ flags, names }) => !shared.has(flags) && !names.includes('--help'));
  const usesStore = command.options.some(({ flags }) => shared.has(flags));
  const args = command.arguments.map(({ name, description, choices }) => [`\`${name}\``, description + choiceText(choices)]);
  return [
    `## wb ${command.name}`,
    '',
    '```text',
    `wb ${command.usage}`,
    '```',
    '',
    command.description,
    '',
    ...(args.length === 0 ? [] : [...markdownTable(['Argument', 'What it is'], args), '']),
    ...(own.length === 0 ? [] : [...optionTable(own), '']),
    ...(usesStore ? [] : ['It uses no store.', '']),
    ...(command.examples.length === 0 ? [] : ['```sh', ...command.examples, '```']),
  ];
}

function optionTable(options: readonly OptionDescription[]): readonly string[] {
  return markdownTable(
    ['Option', 'What it says'],
    options.map(({ flags, value, description, defaultText }) => [
      `\`${flags}\``,
      [description, choiceText(value?.choices ?? []), defaultText === null ? '' : ` (default: ${defaultText})`].join(''),
    ]),
  );
}

function choiceText(choices: readonly string[]): string {
  return choices.length === 0 ? '' : `: ${choices.map((choice) => `\`${choice}\``).join(', ')}`;
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  // What stands between < and > outside of code would be taken for HTML.
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
