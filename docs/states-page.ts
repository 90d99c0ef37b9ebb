import { COMMANDS, refusalOf, type Command } from '../src/ledger/allowed.js';
import {
  MIGRATION_STATES,
  reachablePositions,
  TRANSITIONS,
  type MigrationState,
  type Position,
  type StageName,
} from '../src/ledger/states.js';

type Column = MigrationState | 'none';
const COLUMNS: readonly Column[] = ['none', ...MIGRATION_STATES];

/** docs/states.md: the two tables of src/ledger, and a diagram of the first. */
export const statesPage = (): string =>
  [
    '<!-- made by npm run docs from src/ledger/states.ts and src/ledger/allowed.ts; not to be edited -->',
    '',
    '# States of a migration',
    '',
    'The ledger holds the state of the migration and the last stage that was completed (`keylift.migration`). One function',
    'changes them, and it refuses every transition that is not on this page (`illegal_transition`).',
    '',
    '```mermaid',
    ...diagram(),
    '```',
    '',
    '## Transitions',
    '',
    '| from | to | stage before → after | when |',
    '|---|---|---|---|',
    ...TRANSITIONS.map(
      ({ from, to, stages, reason }) =>
        `| ${from === null ? 'none' : `\`${from}\``} | \`${to}\` | ${stagesText(stages)} | ${reason} |`,
    ),
    '',
    '## Commands',
    '',
    'What each command does in each state: it runs (✓), or it is refused with this code (exit 3). Where that depends on the',
    'stage, the cell names the first stage that allows the command. All other commands run in every state.',
    '',
    `| state | ${COMMANDS.join(' | ')} |`,
    `|---|${COMMANDS.map(() => '---').join('|')}|`,
    ...COLUMNS.map((state) => `| \`${state}\` | ${COMMANDS.map((command) => cell(command, state)).join(' | ')} |`),
    '',
  ].join('\n');

function diagram(): string[] {
  const arrows = TRANSITIONS.filter(({ from, to }) => from !== to);
  const within = TRANSITIONS.filter(({ from, to }) => from === 'active' && to === 'active').flatMap(
    ({ stages }) => stages,
  );
  return [
    'stateDiagram-v2',
    ...arrows.map(({ from, to, reason }) => `  ${from ?? '[*]'} --> ${to}: ${reason.replace(/\.$/, '')}`),
    '  state active {',
    '    [*] --> begun',
    ...within.map(([before, after]) => `    ${before ?? 'begun'} --> ${after ?? 'begun'}`),
    '  }',
    '  purged --> [*]',
  ];
}

/** A transition keeps the stage, drops it, or replaces it. */
function stagesText(stages: readonly (readonly [StageName | null, StageName | null])[]): string {
  const nameOf = (stage: StageName | null): string => (stage === null ? '–' : `\`${stage}\``);
  if (stages.every(([before, after]) => before === after))
    return `${stages.map(([one]) => nameOf(one)).join(', ')}: kept`;
  if (stages.length > 1 && stages.every(([, after]) => after === null)) return 'any → –';
  return stages.map(([before, after]) => `${nameOf(before)} → ${nameOf(after)}`).join('; ');
}

function cell(command: Command, state: Column): string {
  const positions = reachablePositions().filter((at) => (at?.state ?? 'none') === state);
  const codes = positions.map((at) => refusalOf(command, at)?.code ?? null);
  if (codes.every((code) => code === codes[0])) return codes[0] == null ? '✓' : `\`${codes[0]}\``;
  const refused = codes.find((code) => code !== null)!;
  const first = positions.find((at) => refusalOf(command, at) === null);
  return `\`${refused}\`; ✓ from ${stageOf(first)} on`;
}

const stageOf = (at: Position | null | undefined): string => `\`${at?.stage ?? 'expand'}\``;
