import { expect } from 'chai';
import { aliasesIn, withAlias } from '../../src/config/expressions.js';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { legacyFragments } from '../../src/mapping/fragments.js';

describe('an expression under another alias', () => {
  const cases: [string, string, string, string][] = [
    ['qualified columns', 'k.token || k . salt', 'n', 'n.token || n . salt'],
    ['a quoted alias', '"k".token || "k"."Salt"', 'n', 'n.token || n."Salt"'],
    ['an upper case alias', 'K.token', 'n', 'n.token'],
    ['texts stay', `k.kind = 'k.kind' AND e'k.\\'x' <> k.name`, 'n', `n.kind = 'k.kind' AND e'k.\\'x' <> n.name`],
    ['a schema, a column and a function of that name stay', 'k(x.k) + x.k.y + k', 'n', 'k(x.k) + x.k.y + k'],
    ['bare columns', 'lower(k.token) || "k" . salt', '', 'lower(token) ||  salt'],
  ];
  for (const [name, sql, to, expected] of cases) {
    it(name, () => {
      expect(withAlias(sql, 'k', to)).to.equal(expected);
    });
  }

  it('finds a quoted alias', () => {
    expect(aliasesIn(`"o".plan = 'pro' AND a.kind = 'o.x'`, ['a', 'o'])).to.deep.equal(['a', 'o']);
  });
});

describe('fragments', () => {
  const { keys, apis } = DEFAULT_SETTINGS.legacy;
  const withToken = (sql: string) =>
    legacyFragments({ ...DEFAULT_SETTINGS, legacy: { ...DEFAULT_SETTINGS.legacy, keys: { ...keys, token: { sql } } } });

  it('take an alias; an empty one gives bare columns', () => {
    const l = legacyFragments(DEFAULT_SETTINGS);
    expect([l.id(), l.id('n'), l.id(''), l.alive('n'), l.apiId('b')]).to.deep.equal([
      'k."id"',
      'n."id"',
      '"id"',
      '(n."revoked_at" IS NULL AND (n."expires_at" IS NULL OR n."expires_at" > now()))',
      'b."id"',
    ]);
  });

  it('give an expression with a subquery its row under the name it was written for', () => {
    const sql = '(SELECT s.secret FROM secrets s WHERE s.key_id = k.id)';
    expect(withToken(sql).token('n')).to.equal(`(SELECT (${sql}) FROM (SELECT n.*) k)`);
    expect(withToken('lower(k.secret)').token('n')).to.equal('(lower(n.secret))');
  });

  it('find the account in inStore, quoted or not', () => {
    const inStore = (sql: string) =>
      legacyFragments({
        ...DEFAULT_SETTINGS,
        legacy: { ...DEFAULT_SETTINGS.legacy, apis: { ...apis, inStore: { sql } } },
      });
    expect(inStore('a.owner = "o".id').apiNeedsAccount).to.equal(true);
    expect(inStore(`a.kind = 'o.x'`).apiNeedsAccount).to.equal(false);
    expect(inStore('a.owner = o.id').inStore('b', 'p')).to.equal('((b.owner = p.id) IS TRUE)');
  });
});
