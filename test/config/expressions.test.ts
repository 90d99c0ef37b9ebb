import { expect } from 'chai';
import { aliasesIn, faultOfExpression } from '../../src/config/expressions.js';

describe('faultOfExpression', () => {
  for (const sql of [
    'k.token',
    "a.kind = 'store'",
    "coalesce(k.name, 'it''s; -- fine /* too')",
    'k."odd "";name" is null',
    '(((k.a)))',
    String.raw`k.a ~ E'\'quoted\';' and true`,
    "k.data->>'$.id'",
    "k.raw #>> '{a,b}'",
    'k.a$b',
    'k.a - -1',
    "k.c = ')'",
    "k.j ? 'x'",
    "k.type in ('a', 'b')",
    "u.e = '\\'",
    "name'x'",
    "k.a = any (array['a', 'b'])",
    "(array['a', k.b])[1]",
  ]) {
    it(`accepts ${sql}`, () => {
      expect(faultOfExpression(sql)).to.be.undefined;
    });
  }

  for (const [sql, fault] of [
    ['', 'must not be empty'],
    [' \n', 'must not be empty'],
    ['a\0', 'must not hold a NUL character'],
    ['true; drop table accounts', 'must not hold a semicolon outside quotes'],
    ['true -- rest', 'must not hold a comment (--)'],
    ['true /* rest', 'must not hold a comment (/*)'],
    ['rest */ true', 'must not hold a comment (*/)'],
    ['true) or (true', 'closes a parenthesis that it did not open'],
    ['(true', 'leaves a parenthesis open'],
    ['k.name, k.token', 'must be one value, without a comma outside parentheses'],
    ["a.kind = 'store", "leaves a quote (') open"],
    ["'a''", "leaves a quote (') open"],
    ['a."kind', 'leaves a quote (") open, or quotes an empty name'],
    ['k.id = $1', 'must not hold a $ outside quotes (no parameters, no dollar quotes)'],
    ['$$;$$', 'must not hold a $ outside quotes (no parameters, no dollar quotes)'],
    [String.raw`E'\'`, "leaves a quote (') open"],
    [String.raw`E'\''; x`, 'must not hold a semicolon outside quotes'],
  ] as const) {
    it(`refuses ${JSON.stringify(sql)}`, () => {
      expect(faultOfExpression(sql)).to.equal(fault);
    });
  }
});

describe('aliasesIn', () => {
  for (const [sql, found] of [
    ['a.slug', ['a']],
    ['coalesce(k.x, o . y, A.z)', ['a', 'o']],
    ['"a"."Slug" || k.name', ['a']],
    [`'a.slug' || k.note`, []],
    ['k.a.b', []],
    ['schema.a.slug', []],
    ['data.o', []],
    ['oa.x + k.o', []],
    ['a', []],
    [`e'\\'a.x' || k.y`, []],
    ['(select x.name from public.accounts a where a.id = k.account_id)', ['a']],
  ] as const) {
    it(JSON.stringify(sql), () => {
      expect(aliasesIn(sql, ['a', 'o'])).to.deep.equal(found);
    });
  }
});
