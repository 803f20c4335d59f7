import type { ArgumentDescription, CommandDescription, OptionDescription, ValueKind } from '../command-descriptions.js';

/** A script for zsh: to be evaluated after \`compinit\`, or to be put as \`_wb\` into a folder of \`fpath\`. */
export function zshCompletion(commands: readonly CommandDescription[]): string {
  return `#compdef wb
# zsh completion of wb, made by \`wb completion zsh\`
_wb() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  _arguments -C '(- *)'{-h,--help}'[display help]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands command commands ;;
    rest)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _wb ]]; then _wb "$@"; else compdef _wb wb; fi
`;
}

function commandCase({ name, options, arguments: args, isRunner }: CommandDescription): string {
  if (name === 'help') return `        help) _describe -t commands command commands ;;`;
  const specs = [...options.map(optionSpec), ...args.map((argument, at) => argumentSpec(argument, at, isRunner))];
  return `        ${name}) _arguments -S ${specs.join(' ')} ;;`;
}

function optionSpec({ names, value, description }: OptionDescription): string {
  const text = `[${description.replaceAll(/[[\]\\:]/g, '\\$&')}]`;
  const rest = value === null ? '' : `:${value.name}:${action(value.kind, value.choices)}`;
  if (names.length === 1) return quoted(`${names[0]!}${text}${rest}`);
  return `${quoted(`(${names.join(' ')})`)}{${names.join(',')}}${quoted(text + rest)}`;
}

function argumentSpec({ name, kind, choices, isVariadic }: ArgumentDescription, at: number, isRunner: boolean): string {
  // What follows the name of a program is completed as its own line.
  if (isRunner && isVariadic) return quoted(`*::${name}: _normal`);
  const place = isRunner ? `(-)${at + 1}` : isVariadic ? '*' : String(at + 1);
  return quoted(`${place}:${name}:${action(kind, choices)}`);
}

function action(kind: ValueKind, choices: readonly string[]): string {
  switch (kind) {
    case 'file':
      return '_files';
    case 'program':
      return '_command_names -e';
    case 'choice':
      return `(${choices.join(' ')})`;
    case 'other':
      return '';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
