import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import yargs from 'yargs';
import { withArena } from './arena.js';
import { keylift } from './keylift.js';
import { compare, Notebook, tableOf, type Target } from './measure.js';
import { costsText, plansText, profiles } from './profile/profile.js';
import { targetsAt } from './targets.js';
import { GROUPS } from './ways/all.js';
import { walOfMigration, type WalPart } from './ways/wal.js';

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** `2m`, `100k` or plain digits. */
function rowsOf(text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text);
  if (match === null) throw new Error(`--rows takes a number such as 100k or 2m, not ${text}`);
  return Number(match[1]) * ({ k: 1_000, m: 1_000_000 }[match[2]!.toLowerCase()] ?? 1);
}

async function main(): Promise<void> {
  const args = await yargs(process.argv.slice(2))
    .scriptName('npm run bench --')
    .strict()
    .option('rows', { type: 'string', default: '2m', describe: 'keys in the legacy table: 100k, 1m, 2m, 5m, 10m' })
    .option('rounds', { type: 'number', default: 3, describe: 'rounds of every way' })
    .option('only', {
      type: 'string',
      array: true,
      choices: [...Object.keys(GROUPS), 'wal'],
      describe: 'these groups only',
    })
    .option('scaling', {
      type: 'boolean',
      default: false,
      describe: 'instead: time a row at 10 times --rows against --rows',
    })
    .option('profile', {
      type: 'boolean',
      default: false,
      describe: 'instead: which statements take the time, and their plans',
    })
    .option('out', { type: 'string', default: '.keylift/bench.json', describe: 'where the JSON goes' })
    .parse();
  const keys = rowsOf(args.rows);
  if (args.profile) {
    await profile({ keys, out: '.keylift/profile.md' });
    return;
  }
  const book = new Notebook(say);
  const result = args.scaling
    ? await scaling({ keys, rounds: args.rounds, book })
    : await everyWay({ keys, rounds: args.rounds, only: args.only, book });
  const comparisons = compare(book, result.targets);
  const document = {
    machine: machine(),
    keys,
    rounds: args.rounds,
    comparisons,
    measured: book.all(),
    wal: result.wal,
  };
  mkdirSync(path.dirname(args.out), { recursive: true });
  writeFileSync(args.out, `${JSON.stringify(document, null, 2)}\n`);
  process.stdout.write(
    `${machine().summary}, ${String(keys)} keys, ${String(args.rounds)} rounds, medians\n\n${tableOf(comparisons)}\n`,
  );
  if (result.wal !== null) process.stdout.write(`\n${walText(result.wal)}\n`);
}

/** The tables to the screen, and with the plans into a file. */
async function profile({ keys, out }: { keys: number; out: string }): Promise<void> {
  const found = await profiles({ keys, say });
  const title =
    `# Where the time goes\n\n${machine().summary}, ` +
    `${String(keys)} keys, one run. With a dot: run by a function, and part of what called it.`;
  mkdirSync(path.dirname(out), { recursive: true });
  writeFileSync(out, `${[title, ...found.flatMap((one) => [costsText(one), plansText(one)])].join('\n\n')}\n`);
  process.stdout.write(`${[title, ...found.map(costsText)].join('\n\n')}\n\nPlans: ${out}\n`);
}

interface Result {
  targets: Target[];
  wal: Awaited<ReturnType<typeof walOfMigration>> | null;
}

async function everyWay({
  keys,
  rounds,
  only,
  book,
}: {
  keys: number;
  rounds: number;
  only: string[] | undefined;
  book: Notebook;
}): Promise<Result> {
  const wanted = (name: string): boolean => only === undefined || only.includes(name);
  const wal = await withArena({ keys, say }, async (arena) => {
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, group] of Object.entries(GROUPS)) {
        if (!wanted(name)) continue;
        say(`round ${String(round)}: ${name}`);
        await group(arena, book);
      }
    }
    return wanted('wal') ? arena.onCopy(walOfMigration) : null;
  });
  return { targets: targetsAt(keys), wal };
}

/** Seconds a million keys, small and large. */
async function scaling({ keys, rounds, book }: { keys: number; rounds: number; book: Notebook }): Promise<Result> {
  for (const [name, size] of [
    ['small', keys],
    ['large', keys * 10],
  ] as const) {
    await withArena({ keys: size, say }, async ({ onCopy }) => {
      for (let round = 1; round <= rounds; round += 1) {
        const { seconds, peakMiB } = await onCopy((copy) =>
          keylift(['migrate', '--until', 'harden', '--yes'], copy.url),
        );
        book.add(`a million keys, ${name}`, (seconds / size) * 1_000_000);
        if (peakMiB !== null) book.add(`memory of migrate, ${name}`, peakMiB, 'MiB');
      }
    });
  }
  return {
    wal: null,
    targets: [
      {
        what: `time a row, ${String(keys * 10)} keys against ${String(keys)}`,
        ours: 'a million keys, large',
        theirs: 'a million keys, small',
        be: 'at most',
        value: 1.15,
      },
      { what: 'memory of the process, large', ours: 'memory of migrate, large', theirs: 100, be: 'at most', value: 1 },
      {
        what: 'memory of the process, large against small',
        ours: 'memory of migrate, large',
        theirs: 'memory of migrate, small',
        be: 'at most',
        value: 1.1,
      },
    ],
  };
}

function machine(): { summary: string; cores: number; memoryGiB: number; processor: string; node: string } {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return {
    summary:
      `${String(cpus().length)} cores (${processor}), ` +
      `${String(memoryGiB)} GiB, Node ${process.version}, PostgreSQL 18 at its default settings`,
    cores: cpus().length,
    memoryGiB,
    processor,
    node: process.version,
  };
}

const walText = ({ parts, bytesARow }: { parts: WalPart[]; bytesARow: number }): string =>
  [
    `WAL: ${bytesARow.toFixed(0)} bytes a moved row`,
    ...parts.map(
      (p) => `  ${(p.share * 100).toFixed(1).padStart(5)} %  ${p.bytesARow.toFixed(1).padStart(6)} bytes  ${p.part}`,
    ),
  ].join('\n');

await main();
