import type { CommandDefinition } from './definition.js';
import { GLOBAL_FLAGS, isValued, type Flag, type Valued } from './flags.js';

export const SHELLS = ['bash', 'zsh'] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * A script that completes a command line in the shell that sources it. It contains all it needs, so that a press of Tab
 * starts no process. bash 3.2 and zsh read the same function.
 */
export function completionScript(shell: Shell, commands: readonly CommandDefinition[]): string {
  return `# made by keylift completion ${shell}
${shell === 'zsh' ? 'autoload -Uz bashcompinit && bashcompinit\n' : ''}${functionText(commands)}
complete -F _keylift keylift
`;
}

/** Uses nothing that the two shells treat differently, such as slices of arrays. */
const functionText = (commands: readonly CommandDefinition[]): string => `_keylift() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before='' command='' position=0 at=1 word
  COMPREPLY=()
  # bash makes three words of --flag=value
  if [ "$current" = '=' ]; then current=''; fi
  while [ "$at" -lt "$COMP_CWORD" ]; do
    word="\${COMP_WORDS[$at]}"
    at=$((at + 1))
    if [ "$word" = '=' ]; then continue; fi
    case "$before" in ${withValue(commands)}) before=''; continue ;; esac
    before="$word"
    case "$word" in -*) continue ;; esac
    if [ -z "$command" ]; then command="$word"; else position=$((position + 1)); fi
  done
  case "$command:$before" in
${valueCases(commands)}
  esac
  case "$command $position $current" in
    *' -'*) ;;
    ' 0 '*) _keylift_words '${commands.map(({ name }) => name).join(' ')}'; return ;;
${commands.flatMap(positionCases).join('\n')}
  esac
  case "$command" in
${commands.map(({ name, flags }) => `    ${name}) _keylift_words '${flagWords(flags)}' ;;`).join('\n')}
    *) _keylift_words '--help --version' ;;
  esac
}
_keylift_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_keylift_files() {
  if compopt -o default 2>/dev/null; then return; fi
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$current"))
}`;

/** Every flag that takes a value, as `command:--flag`, and `*:--flag` for those of every command. */
const valued = (commands: readonly CommandDefinition[]): (readonly [string, Valued])[] =>
  [{ name: '*', flags: GLOBAL_FLAGS }, ...commands].flatMap(({ name: command, flags }) =>
    Object.entries(flags).flatMap(([name, flag]) => (isValued(flag) ? [[`${command}:--${name}`, flag] as const] : [])),
  );

const withValue = (commands: readonly CommandDefinition[]): string =>
  [...new Set(valued(commands).map(([name]) => name.replace(/^.*:/, '')))].join('|');

const flagWords = (flags: Record<string, Flag>): string =>
  [...Object.keys(flags), ...Object.keys(GLOBAL_FLAGS), 'help'].map((name) => `--${name}`).join(' ');

/** Flags with the same offer share a line. */
function valueCases(commands: readonly CommandDefinition[]): string {
  const flags = valued(commands);
  const offers = new Set(flags.map(([, flag]) => offer(flag)));
  const patterns = (offered: string): string =>
    flags
      .filter(([, flag]) => offer(flag) === offered)
      .map(([name]) => name)
      .join('|');
  return [...offers].map((offered) => `    ${patterns(offered)}) ${offered}return ;;`).join('\n');
}

const positionCases = ({ name, positionals = {} }: CommandDefinition): string[] =>
  Object.values(positionals).map(
    (positional, position) => `    '${name} ${String(position)} '*) ${offer(positional)}return ;;`,
  );

/** The shell command that offers values: some words, or files. Nothing for numbers and ids. */
function offer({ read, value }: Valued): string {
  if (read.words !== undefined) return `_keylift_words '${read.words.join(' ')}'; `;
  return ['FILE', 'DIR'].includes(value) ? '_keylift_files; ' : '';
}
