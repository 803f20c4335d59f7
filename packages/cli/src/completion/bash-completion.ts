import type { CommandDescription, OptionDescription, ValueKind } from '../command-descriptions.js';

/**
 * A script for bash, from 3.2 on. It does not use bash's own words: those are also cut at `:`, `=` and `@`, which are in every URL.
 */
export function bashCompletion(commands: readonly CommandDescription[]): string {
  const runners = commands.filter(({ isRunner }) => isRunner).map(({ name }) => name);
  return `# bash completion of wb, made by \`wb completion bash\`
_wb() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() word current command= option= count=0 program= i
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]}-1]}
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    if [[ -n $program ]]; then count=$((count + 1))
    elif [[ -n $option ]]; then option=
    elif [[ $word == -- ]]; then
      case $command in
        ${runners.join(' | ')}) program=$command ;;
      esac
    elif [[ $word == -* ]]; then
      case "$command $word" in
${valuedPatterns(commands)}) option=$word ;;
      esac
    elif [[ -z $command ]]; then command=$word
    else
      count=$((count + 1))
      case $command in
        ${runners.join(' | ')}) program=$command ;;
      esac
    fi
  done
  COMPREPLY=()
  if [[ -n $program ]]; then
    if ((count == 0)); then COMPREPLY=($(compgen -c -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi
    return
  fi
  if [[ -z $option && $current == --*=* ]]; then
    option=\${current%%=*}
    current=\${current#*=}
  fi
  if [[ -n $option ]]; then
    case "$command $option" in
${valueCases(commands)}
    esac
    return
  fi
  case $command in
    '') COMPREPLY=($(compgen -W '${[...commands.map(({ name }) => name), '--help'].join(' ')}' -- "$current")) ;;
${commands.map(commandCase).join('\n')}
  esac
}
complete -F _wb wb
`;
}

function valued(commands: readonly CommandDescription[]): readonly { readonly command: string; readonly option: OptionDescription }[] {
  return commands.flatMap(({ name, options }) =>
    options.filter(({ value }) => value !== null).map((option) => ({ command: name, option })),
  );
}

function pattern(command: string, { names }: OptionDescription): string {
  return names.map((name) => `'${command} ${name}'`).join(' | ');
}

function valuedPatterns(commands: readonly CommandDescription[]): string {
  return valued(commands)
    .map(({ command, option }) => `        ${pattern(command, option)}`)
    .join(' | \\\n');
}

function valueCases(commands: readonly CommandDescription[]): string {
  return valued(commands)
    .filter(({ option }) => option.value!.kind !== 'other')
    .map(({ command, option }) => `      ${pattern(command, option)}) ${reply(option.value!.kind, option.value!.choices)} ;;`)
    .join('\n');
}

function commandCase({ name, options, arguments: args }: CommandDescription, _at: number, all: readonly CommandDescription[]): string {
  const names = options.flatMap((option) => option.names);
  const [first] = args;
  // `help` takes the name of a command.
  const operand =
    name === 'help'
      ? reply(
          'choice',
          all.map((command) => command.name),
        )
      : first === undefined
        ? ':'
        : reply(first.kind, first.choices);
  const flags = `if [[ $current == -* ]]; then ${reply('choice', names)}; `;
  return `    ${name}) ${flags}elif ((count == 0)); then ${operand}; fi ;;`;
}

function reply(kind: ValueKind, choices: readonly string[]): string {
  switch (kind) {
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$current"))';
    case 'program':
      return 'COMPREPLY=($(compgen -c -- "$current"))';
    case 'choice':
      return `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current"))`;
    case 'other':
      return ':';
  }
}
