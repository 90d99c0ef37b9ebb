import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { loadConfiguration } from '../../src/config/load.js';
import { parseSettings } from '../../src/config/parse.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';

async function refusal(attempt: Promise<unknown>): Promise<KeyliftError> {
  const outcome = await attempt.then(
    () => 'accepted',
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(KeyliftError).and.include({ exitCode: 2 });
  return outcome as KeyliftError;
}

function faultsOf(config: unknown): string[] {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  try {
    parseSettings(text, { file: 'f.json' });
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(KeyliftError).and.include({ code: 'config_invalid', exitCode: 2 });
    return (error as KeyliftError).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
}

describe('loadConfiguration', () => {
  let cwd = '';
  beforeEach(async () => {
    cwd = await mkdtemp(path.join(os.tmpdir(), 'keylift-config-'));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  const write = async (name: string, content: string | Buffer) => {
    await writeFile(path.join(cwd, name), content);
    return path.join(cwd, name);
  };
  const load = (sources: { config?: string; databaseUrl?: string; env?: Record<string, string> } = {}) =>
    loadConfiguration({
      flags: { config: sources.config, databaseUrl: sources.databaseUrl },
      env: sources.env ?? {},
      cwd,
    });
  const table = (name: string) => JSON.stringify({ target: { table: name } });

  it('holds the default without a file, as a copy', async () => {
    const { settings, configFile, databaseUrl } = await load();
    expect(settings).to.deep.equal(DEFAULT_SETTINGS);
    expect(settings).not.to.equal(DEFAULT_SETTINGS);
    expect([configFile, databaseUrl]).to.deep.equal([undefined, undefined]);
  });

  it('puts the flag before the environment before the usual file', async () => {
    await write('keylift.config.json', table('usual'));
    await write('environment.json', table('environment'));
    await write('flag.json', table('flag'));
    const env = { KEYLIFT_CONFIG: 'environment.json', DATABASE_URL: 'postgres://environment' };
    expect((await load()).settings.target.table).to.equal('usual');
    expect((await load({ env })).settings.target.table).to.equal('environment');
    expect((await load({ env })).databaseUrl).to.equal('postgres://environment');
    const { settings, databaseUrl, configFile } = await load({
      env,
      config: 'flag.json',
      databaseUrl: 'postgres://flag',
    });
    expect([settings.target.table, databaseUrl, configFile]).to.deep.equal([
      'flag',
      'postgres://flag',
      path.join(cwd, 'flag.json'),
    ]);
  });

  it('takes an empty variable for none', async () => {
    expect((await load({ env: { DATABASE_URL: '', KEYLIFT_CONFIG: '' } })).databaseUrl).to.be.undefined;
  });

  for (const [what, content, reason] of [
    ['an UTF-16 file', Buffer.from('\ufeff{}', 'utf16le'), 'is UTF-16; save it as UTF-8'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'is not valid UTF-8'],
    ['a NUL byte', '{"a":"\0"}', 'holds a NUL byte (byte 7)'],
    ['a file over 1 MiB', ' '.repeat(1024 * 1024 + 1), 'is larger than 1 MiB'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const error = await refusal(load({ config: await write('odd.json', content) }));
      expect(error.message).to.equal(`the config file ${path.join(cwd, 'odd.json')} ${reason}`);
    });
  }

  it('refuses a missing file and a folder, naming who asked for it', async () => {
    const missing = await refusal(load({ env: { KEYLIFT_CONFIG: 'none.json' } }));
    expect(missing.message).to.match(/none\.json does not exist$/);
    expect(missing.facts.given_by).to.equal('KEYLIFT_CONFIG');
    await mkdir(path.join(cwd, 'folder'));
    expect((await refusal(load({ config: 'folder' }))).message).to.match(/folder is a folder, not a file$/);
  });

  it('does not pass over a usual file that is a dead link', async () => {
    await symlink('nowhere', path.join(cwd, 'keylift.config.json'));
    expect((await refusal(load())).message).to.match(/does not exist$/);
  });

  it('accepts a byte order mark', async () => {
    await write('keylift.config.json', `\ufeff${table('t')}`);
    expect((await load()).settings.target.table).to.equal('t');
  });
});

describe('parseSettings', () => {
  it('lays the file key by key over the default', () => {
    const text = JSON.stringify({ legacy: { keys: { token: { sql: 'k.raw' }, name: null }, accounts: {} } });
    const expected = structuredClone(DEFAULT_SETTINGS);
    expected.legacy.keys.token = { sql: 'k.raw' };
    expected.legacy.keys.name = null;
    expect(parseSettings(text, { file: 'f' })).to.deep.equal(expected);
  });

  it("accepts the contract's example whole, and a $schema", () => {
    expect(parseSettings(JSON.stringify({ $schema: 'x', ...DEFAULT_SETTINGS }), { file: 'f' })).to.deep.equal(
      DEFAULT_SETTINGS,
    );
  });

  it('reports all faults at once, each by its key', () => {
    expect(
      faultsOf({
        legacy: {
          keys: {
            tokn: 'token',
            id: 7,
            createdAt: null,
            carry: ['plan', '', 'plan', 'token', 3],
            where: { sql: 'true; drop table x' },
            api: { sq: 'k.api' },
          },
          apis: { table: 'a b', inStore: { sql: "kind = 'store" } },
          acounts: {},
        },
        target: [],
        extra: 1,
      }).sort(),
    ).to.deep.equal(
      [
        'legacy.keys.tokn: unknown key, did you mean "token"?',
        'legacy.keys.id: must be text, not the number 7',
        'legacy.keys.createdAt: must be text or {"sql": "…"}, not null',
        'legacy.keys.carry[1]: must not be empty',
        'legacy.keys.carry[2]: "plan" is named twice',
        'legacy.keys.carry[3]: "token" is a column that the new table already has',
        'legacy.keys.carry[4]: must be text, not the number 3',
        'legacy.keys.where.sql: must not hold a semicolon outside quotes',
        'legacy.keys.api.sq: unknown key, did you mean "sql"?',
        'legacy.keys.api.sql: missing',
        'legacy.apis.table: "a b" is not a valid table ' +
          'name: write it as in SQL: table, schema.table, or public."ApiKey"',
        "legacy.apis.inStore.sql: leaves a quote (') open",
        'legacy.acounts: unknown key, did you mean "accounts"?',
        'target: must be an object, not a list',
        'extra: unknown key, known are legacy, target',
      ].sort(),
    );
  });

  it('sees a key that is given twice', () => {
    expect(faultsOf('{"target": {"table": "a",\n"table": "b"}}')).to.deep.equal([
      'target.table: given twice (again in line 2)',
    ]);
  });

  it('tells where a text stops being JSON', () => {
    const message = (text: string) => {
      try {
        parseSettings(text, { file: 'f' });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message('{\n  "legacy": {\n    // keys\n')).to.equal(
      'the config file f is not JSON: line 3, column 5: ' +
        'expected a key in double quotes, found "/" (JSON has no comments)',
    );
    expect(message('')).to.include('line 1, column 1: the file is empty');
    expect(message('{"a": 1} x')).to.include('line 1, column 10: there is text after');
    expect(message('{"a": "\\x"}')).to.include('line 1, column 7: a string that does not end');
    expect(message('{"a": ')).to.include('expected a value, but the file ends');
    expect(message('['.repeat(100_000))).to.include('nested deeper than 32 levels');
    expect(message('{"a": 01}')).to.include('expected a comma or }');
  });

  for (const text of ['[]', 'null', '"x"', '3']) {
    it(`refuses ${text} as a whole`, () => {
      expect(faultsOf(text)[0]).to.match(/^\(the whole file\): must be an object, not /);
    });
  }

  it('is not fooled by __proto__', () => {
    expect(faultsOf('{"__proto__": {"legacy": {}}, "constructor": 1}')).to.deep.equal([
      '["__proto__"]: unknown key, known are legacy, target'.replace('["__proto__"]', '__proto__'),
      'constructor: unknown key, known are legacy, target',
    ]);
  });

  it("refuses a new table that is a legacy one, or the ledger's", () => {
    expect(faultsOf({ target: { table: '"api_keys"' } })).to.deep.equal([
      'target.table: is the same table as legacy.keys.table',
    ]);
    expect(faultsOf({ target: { table: 'Keylift.keys' } })[0]).to.match(
      /^target\.table: must not be in the schema keylift/,
    );
  });

  it("refuses what an index could not find, what reports would show, and the marks of keylift's functions", () => {
    expect(
      faultsOf({ legacy: { keys: { token: { sql: '(SELECT t.token FROM tokens t WHERE t.key = k.id)' } } } }),
    ).to.deep.equal(['legacy.keys.token.sql: must be computed from the row itself, because an index finds keys by it']);
    expect(faultsOf({ legacy: { keys: { token: { sql: `k.token || 'select'` } } } })).to.deep.equal([]);
    expect(faultsOf({ legacy: { keys: { id: 'token' } } })).to.deep.equal([
      'legacy.keys.id: is the token itself; reports show ids, so keys need another one',
    ]);
    expect(
      faultsOf({ legacy: { keys: { carry: ['a$body$b'] }, apis: { inStore: { sql: `a."$do$"` } } } }),
    ).to.deep.equal([
      'legacy.keys.carry[0]: must not hold $body$, with which keylift quotes its functions',
      'legacy.apis.inStore.sql: must not hold $do$, with which keylift quotes its functions',
    ]);
  });

  it('tells fifty faults and counts the rest', () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`nothing_like_it_${String(i)}`, 1]));
    expect(faultsOf(many)).to.have.length(51);
    expect(faultsOf(many).at(-1)).to.equal('and 10 more');
  });

  it('reads a megabyte of keys or of text in no time', () => {
    const keys = `{${Array.from({ length: 60_000 }, (_, i) => `"k${String(i)}":1`).join(',')}}`;
    expect(faultsOf(keys)).to.have.length(51);
    expect(faultsOf({ target: { table: 'x'.repeat(1_000_000) } })).to.have.length(1);
  }).timeout(5000);
});
