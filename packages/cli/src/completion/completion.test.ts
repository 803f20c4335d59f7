import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeCommands } from '../command-descriptions.js';
import { createProgram } from '../program.js';
import { bashCompletion } from './bash-completion.js';
import { fishCompletion } from './fish-completion.js';
import { zshCompletion } from './zsh-completion.js';

const COMMANDS = describeCommands(createProgram());

/** Describes what needs a shell. Where it is not installed it is one skipped test, with the reason. */
function describeShell(shell: string, body: () => void): void {
  describe(`in ${shell}`, () => {
    if (spawnSync(shell, ['-c', 'true']).status === 0) body();
    else {
      it('needs the shell', (context) => {
        context.skip(`${shell} is not installed: Debian has a package of that name`);
        expect.unreachable();
      });
    }
  });
}

describe('completion, by the shells themselves', () => {
  let folder: string;
  const path = (name: string): string => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wb-completion-'));
    writeFileSync(path('wb.bash'), bashCompletion(COMMANDS));
    writeFileSync(path('wb.zsh'), zshCompletion(COMMANDS));
    writeFileSync(path('wb.fish'), fishCompletion(COMMANDS));
    writeFileSync(path('Config.toml'), '');
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a script in a shell; the arguments are its `$1`, `$2`, … */
  const run = (shell: string, flags: readonly string[], script: string, ...args: readonly string[]): readonly string[] => {
    const { status, stdout, stderr } = spawnSync(shell, [...flags, '-c', script, shell, ...args], { encoding: 'utf8', cwd: folder });
    expect([status, stderr]).toEqual([0, '']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  };

  describe('bash', () => {
    const complete = (line: string): readonly string[] =>
      run(
        'bash',
        ['--norc', '--noprofile'],
        // As bash calls it: with its own words, which are not what is used.
        'source "$1"; COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _wb wb; printf "%s\\n" "${COMPREPLY[@]}"',
        path('wb.bash'),
        line,
      );

    it('knows the command', () => {
      expect(run('bash', ['--norc'], 'source "$1"; complete -p wb', path('wb.bash'))).toEqual(['complete -F _wb wb']);
    });

    it.each([
      ['wb r', ['resign', 'run']],
      ['wb help do', ['doctor']],
      ['wb completion ', ['bash', 'fish', 'zsh']],
      ['wb status --w', ['--watch']],
      ['wb status billing --j', ['--json']],
      ['wb run --on-exit ', ['auto', 'exit', 'restart', 'yield']],
      ['wb run --on-exit=re', ['restart']],
      ['wb doctor --config ./C', ['./Config.toml']],
      ['wb doctor --config=./C', ['./Config.toml']],
      // A URL has characters at which bash cuts its words.
      ['wb run --store postgres://u:p@h:1/d --on-e', ['--on-exit']],
      // The value of an option is no command, and no group.
      ['wb wait --timeout ', []],
      ['wb wait --timeout 5 --st', ['--store']],
    ])('completes %s', (line, replies) => {
      expect(complete(line)).toEqual(replies);
    });

    it('completes a program after run, and files after that, and no options of its own', () => {
      expect(complete('wb run --group g -- bas')).toContain('bash');
      expect(complete('wb run --group g bas')).toContain('bash');
      expect(complete('wb run --group g -- cat Con')).toEqual(['Config.toml']);
      expect(complete('wb run cat --on-e')).toEqual([]);
    });

    it('completes every command and every option that there is', () => {
      expect(complete('wb ')).toEqual([...COMMANDS.map(({ name }) => name), '--help'].toSorted());
      for (const { name, options } of COMMANDS) {
        expect([name, ...complete(`wb ${name} -`)]).toEqual([name, ...options.flatMap(({ names }) => names).toSorted()]);
      }
    });
  });

  describeShell('fish', () => {
    const complete = (line: string): readonly string[] =>
      run('fish', ['--no-config'], 'source $argv[2]; complete -C $argv[3]', path('wb.fish'), line).map((reply) => reply.split('\t')[0]!);

    it.each([
      ['wb r', ['resign', 'run']],
      ['wb completion ', ['bash', 'fish', 'zsh']],
      ['wb status --w', ['--watch']],
      ['wb run --on-exit ', ['auto', 'exit', 'restart', 'yield']],
      ['wb doctor --config Con', ['Config.toml']],
      ['wb wait --timeout ', []],
    ])('completes %s', (line, replies) => {
      expect(complete(line)).toEqual(replies);
    });
  });

  describeShell('zsh', () => {
    /** Types a line into an interactive zsh, asks for the list of what fits, and returns what it shows, when the text is in it or never comes. */
    const shown = (line: string, text: string): string =>
      run(
        'zsh',
        ['-f'],
        `zmodload zsh/zpty; zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -U compinit; compinit -u -D; source $1; bindkey '^L' list-choices; print -r READY''!"
zpty -r shell output '*READY!*'
zpty -w -n shell "$2"$'\\x0c'
for attempt in {1..100}; do zpty -r -t shell more && output+=$more; [[ $output == *$3* ]] && break; sleep 0.1; done
print -r -- \${output##*READY!}`,
        path('wb.zsh'),
        line,
        text,
      ).join('\n');

    it.each([
      ['wb r', 'run a program while this member leads the group'],
      ['wb run --on-exit ', 'restart'],
      ['wb status --w', '--watch'],
    ])('completes %s', (line, text) => {
      expect(shown(line, text)).toContain(text);
    });
  });
});
