import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { after, before, it } from 'mocha';
import { TOKEN_MARK } from '../support/seed.js';
import { commandsOf, statementsOf, type Block } from './blocks.js';
import { Town } from './town.js';
import { TROUBLES } from './troubles.js';

/** `on a fresh copy`, or one on which something is wrong: `on a fresh copy, where an index is invalid`. */
const FRESH = /^on a fresh copy(?:, where (.+))?$/;

/**
 * Registers a test for each block, in order, in one shop: its commands are run, and end as they say. A block marked
 * with a fresh copy begins anew; any other goes on where the one before it ended.
 *
 * @param more SQL for the shop beside its plain keys
 */
export function rehearse(blocks: readonly Block[], more = ''): void {
  let town: Town;
  let putRight: (() => Promise<void>) | undefined;
  before(async () => {
    town = await Town.build(more);
  });
  after(async () => {
    await putRight?.();
    await town.close();
  });

  const beginAnew = async (trouble: string | undefined): Promise<void> => {
    await putRight?.();
    putRight = undefined;
    await town.freshCopy();
    if (trouble === undefined) return;
    const make = TROUBLES[trouble];
    if (make === undefined) throw new Error(`test/runbook/troubles.ts does not know how to bring about: ${trouble}`);
    putRight = (await make(town)) ?? undefined;
  };

  // What stands in a text block is made by `npm run docs`, and held to that by test/docs.
  for (const block of blocks.filter(({ language }) => language !== 'text')) {
    it(`${block.document}:${String(block.line)} ${block.chapter}: ${titleOf(block)}`, async () => {
      const [fresh, trouble] = FRESH.exec(block.mark ?? '') ?? [];
      if (fresh !== undefined) await beginAnew(trouble);
      await runBlock(town, block);
      await town.keepUp();
    }).timeout(180_000); // a block may be a whole night
  }
}

const titleOf = ({ language, file, text }: Block): string =>
  file ??
  `${language}, ${text
    .split('\n')
    .find((line) => !/^(#|--)/.test(line))!
    .split(/ {2,}/)[0]!
    .slice(0, 60)}`;

async function runBlock(town: Town, block: Block): Promise<void> {
  if (block.language === 'sh') return runCommands(town, block);
  if (block.language === 'sql') return runStatements(town, block);
  expect(
    block.file,
    `${block.document}:${String(block.line)} shows a file without its name after the fence`,
  ).to.not.equal(undefined);
  await writeFile(path.join(town.shell.folder, block.file!), `${town.addressed(block.text)}\n`);
}

async function runCommands(town: Town, block: Block): Promise<void> {
  const commands = commandsOf(block)
    .filter(({ skipped }) => skipped === undefined)
    .map((command) => ({ ...command, text: town.addressed(command.text) }));
  const ends = await town.shell.run(commands);
  ends.forEach(({ exitCode, output }, at) => {
    const { text, exitCode: expected, anchor } = commands[at]!;
    expect(exitCode, `${text}\n${output}`).to.equal(expected);
    expect(output, `a token in the output of ${text}`).to.not.include(TOKEN_MARK);
    if (anchor !== undefined) expect(output, text).to.include(`runbook.md#${anchor}`);
  });
}

async function runStatements(town: Town, block: Block): Promise<void> {
  // The town has made the roles already, as it must whenever it makes a copy.
  if (block.mark?.startsWith('role: ')) return;
  const ask = (sql: string) =>
    block.text.startsWith('-- as the administrator') ? town.ask(sql) : town.askAsOperator(sql);
  for (const { sql, ends } of statementsOf(block)) {
    const { rows, error } = await ask(sql).then(
      (found) => ({ rows: found, error: undefined }),
      (reason: unknown) => ({ rows: [], error: reason }),
    );
    expect(error === undefined ? 'taken' : 'refused', `${sql}\n${String(error)}`).to.equal(
      ends === 'refused' ? 'refused' : 'taken',
    );
    if (ends === 'no row') expect(rows, sql).to.deep.equal([]);
  }
}
