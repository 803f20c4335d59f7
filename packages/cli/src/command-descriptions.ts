import type { Argument, Command, Option } from 'commander';

/** What a value or an argument is, for a shell that completes it. */
export type ValueKind = 'file' | 'program' | 'choice' | 'other';

/** An option, as its command defines it. */
export interface OptionDescription {
  /** As in the help: `--store <url>`. */
  readonly flags: string;
  /** `['-h', '--help']` */
  readonly names: readonly string[];
  /** `null`: it takes no value. */
  readonly value: { readonly name: string; readonly kind: ValueKind; readonly choices: readonly string[] } | null;
  readonly description: string;
  /** The default, if it is not in the description. */
  readonly defaultText: string | null;
}

/** An argument, as its command defines it. */
export interface ArgumentDescription {
  readonly name: string;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
  readonly isVariadic: boolean;
  readonly description: string;
}

/** A command of `wb`. */
export interface CommandDescription {
  readonly name: string;
  /** What follows `wb `. */
  readonly usage: string;
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OptionDescription[];
  readonly arguments: readonly ArgumentDescription[];
  /** What comes after its arguments is another program's. */
  readonly isRunner: boolean;
  /** Lines of the shell. */
  readonly examples: readonly string[];
}

/** What the names of values say of them. */
const KINDS: Readonly<Record<string, ValueKind>> = { file: 'file', command: 'program' };

/** The commands of a program: of the one definition, from which the help, the completion and the documentation are made. */
export function describeCommands(program: Command): readonly CommandDescription[] {
  return program.createHelp().visibleCommands(program).map(describeCommand);
}

/** The options of a command that its help shows. */
export function describeOptions(command: Command): readonly OptionDescription[] {
  return command.createHelp().visibleOptions(command).map(describeOption);
}

function describeCommand(command: Command): CommandDescription {
  const args = command.registeredArguments.map(describeArgument);
  return {
    name: command.name(),
    usage: `${command.name()} ${command.usage()}`,
    summary: command.summary() || command.description(),
    description: command.description(),
    options: describeOptions(command),
    arguments: args,
    isRunner: args.some(({ kind }) => kind === 'program') && args.at(-1)?.isVariadic === true,
    examples: examplesOf(command),
  };
}

function describeOption({
  flags,
  short,
  long,
  required,
  optional,
  argChoices,
  description,
  defaultValue,
  defaultValueDescription,
}: Option): OptionDescription {
  const names = [short, long].filter((name) => name !== undefined);
  const [, name] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  const value = (required || optional) && name !== undefined ? { name, kind: kindOf(name, argChoices), choices: argChoices ?? [] } : null;
  const defaultText =
    defaultValueDescription ?? (typeof defaultValue === 'string' || typeof defaultValue === 'number' ? String(defaultValue) : null);
  return { flags, names, value, description, defaultText };
}

function describeArgument(argument: Argument): ArgumentDescription {
  const { argChoices, variadic, description } = argument;
  const name = argument.name();
  return { name, kind: kindOf(name, argChoices), choices: argChoices ?? [], isVariadic: variadic, description };
}

function kindOf(name: string, choices: readonly string[] | undefined): ValueKind {
  return choices === undefined ? (KINDS[name] ?? 'other') : 'choice';
}

/** They are in the text that stands below the help, and nowhere else. */
function examplesOf(command: Command): readonly string[] {
  let help = '';
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (text) => void (help += text) });
  command.outputHelp();
  command.configureOutput(output);
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
