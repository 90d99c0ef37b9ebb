import { COMMANDS, GROUPS } from '../src/commands/definitions/all.js';
import { EXIT_MEANINGS, type CommandDefinition } from '../src/commands/definition.js';
import { GLOBAL_FLAGS, isValued, type Flag } from '../src/commands/flags.js';
import { overview } from '../src/commands/overview.js';
import { withFailpoints } from './failpoints.js';
import { messagesPage } from './messages.js';
import { sqlFiles } from './sql-files.js';
import { statesPage } from './states-page.js';

const BEGIN = '<!-- usage: generated from --help -->';
const END = '<!-- /usage -->';

/**
 * Every generated file, by its path: a page for each command, README's usage, the states of a migration, every error,
 * the failpoints, and the SQL of each stage.
 */
export function generated(read: (file: string) => string): Record<string, string> {
  return {
    'README.md': withUsage(read('README.md')),
    'docs/failpoints.md': withFailpoints(read('docs/failpoints.md')),
    'docs/messages.md': messagesPage(),
    'docs/states.md': statesPage(),
    ...sqlFiles(),
    ...Object.fromEntries(COMMANDS.map((definition) => [pageOf(definition), page(definition)])),
  };
}

const pageOf = ({ name }: CommandDefinition): string => `docs/commands/${name}.md`;

function withUsage(readme: string): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`README.md lacks ${BEGIN} or ${END}`);
  const pages = COMMANDS.map((definition) => `[${definition.name}](${pageOf(definition)})`).join(', ');
  return `${before}${BEGIN}\n\n\`\`\`text\n${overview(GROUPS)}\`\`\`\n\nA page each: ${pages}.\n\n${END}${after}`;
}

function page(definition: CommandDefinition): string {
  const { name, describe, positionals = {}, flags, examples, exits } = definition;
  return [
    '<!-- made by npm run docs from the definitions of the commands; not to be edited -->',
    '',
    `# keylift ${name}`,
    '',
    `${describe}.`,
    '',
    '```text',
    [
      'keylift',
      name,
      ...Object.entries(positionals).map(([word, { optional }]) => (optional === true ? `[${word}]` : `<${word}>`)),
      '[flags]',
    ].join(' '),
    '```',
    '',
    ...table(
      'argument',
      Object.entries(positionals).map(([word, flag]) => [`\`<${word}>\``, flag]),
    ),
    ...table(
      'flag',
      Object.entries(flags).map(([word, flag]) => [spelled(word, flag), flag]),
    ),
    ...table(
      'flag of every command',
      Object.entries(GLOBAL_FLAGS).map(([word, flag]) => [spelled(word, flag), flag]),
    ),
    '## Examples',
    '',
    ...examples.flatMap(([line, does]) => [`\`keylift ${line}\`: ${does}.`, '']),
    '## Exit codes',
    '',
    '| code | means |',
    '|---|---|',
    ...[...exits].sort((a, b) => a - b).map((code) => `| ${String(code)} | ${EXIT_MEANINGS[code]} |`),
    '',
    'What each error means, and what to do next: [messages](../messages.md).',
    '',
  ].join('\n');
}

const spelled = (name: string, flag: Flag): string => `\`--${name}${isValued(flag) ? ` ${flag.value}` : ''}\``;

function table(head: string, rows: readonly (readonly [string, Flag])[]): string[] {
  if (rows.length === 0) return [];
  return [
    `| ${head} | |`,
    '|---|---|',
    ...rows.map(([word, { describe }]) => `| ${word} | ${describe.replaceAll('|', '\\|')} |`),
    '',
  ];
}
