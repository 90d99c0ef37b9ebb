import { expect } from 'chai';
import pg from 'pg';
import {
  isConnectionLost,
  isMissingObject,
  isPermission,
  isRetryable,
  isTimeout,
  sqlStateOf,
} from '../../src/database/sqlstate.js';
import { describeDatabaseError } from '../../src/database/describe.js';
import { keyliftError } from '../../src/errors/keylift-error.js';

function serverError(code: string, fields: Partial<pg.DatabaseError> & { message?: string } = {}): pg.DatabaseError {
  const { message = 'the sentence', ...rest } = fields;
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code, severity: 'ERROR', ...rest });
}

function networkError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('sqlstate', () => {
  it('sorts errors by their code', () => {
    for (const code of ['40001', '40P01', '55P03']) expect(isRetryable(serverError(code)), code).to.be.true;
    expect(isTimeout(serverError('57014'))).to.be.true;
    for (const code of ['42P01', '42703', '3F000']) expect(isMissingObject(serverError(code)), code).to.be.true;
    expect(isPermission(serverError('42501'))).to.be.true;
    for (const code of ['57P01', '08006', '25P03']) expect(isConnectionLost(serverError(code)), code).to.be.true;
    for (const code of ['ECONNRESET', 'EPIPE']) expect(isConnectionLost(networkError(code)), code).to.be.true;
  });

  it('does not take a system error for a SQLSTATE', () => {
    expect(sqlStateOf(networkError('EPIPE'))).to.be.undefined;
  });

  it('takes a wrong number of values (08P01) for a bug, and a fatal 08P01 for a lost connection', () => {
    expect(isConnectionLost(serverError('08P01'))).to.be.false;
    expect(isConnectionLost(serverError('08P01', { severity: 'FATAL' }))).to.be.true;
  });
});

describe('describeDatabaseError', () => {
  it('leaves row values behind, in the sentence, the facts and the cause', () => {
    const error = serverError('23505', {
      message: 'duplicate key value violates unique constraint "account_api_keys_token"',
      detail: 'Key (token)=(tok_secret) already exists.',
      where: 'COPY tok_secret',
      constraint: 'account_api_keys_token',
    });
    const described = describeDatabaseError(error);
    expect(described).to.include({ code: 'database_error', exitCode: 1 });
    expect(described.facts).to.deep.equal({ sqlstate: '23505', constraint: 'account_api_keys_token' });
    expect(
      JSON.stringify([described.message, described.facts, Object.entries(described.cause as object)]),
    ).not.to.include('tok_secret');
  });

  for (const [code, message] of [
    ['22P02', 'invalid input syntax for type bigint: "tok_secret"'],
    ['22P02', 'syntaxe en entrée invalide pour le type bigint : « tok_secret »'],
    ['P0001', 'token "tok_secret" is odd'],
  ] as const) {
    it(`masks the value in ${message.replace('tok_secret', '…')}`, () => {
      const { message: said, cause } = describeDatabaseError(serverError(code, { message }));
      expect(said).not.to.include('tok_secret');
      expect((cause as Error).stack).not.to.include('tok_secret');
    });
  }

  it('names the function that raised an exception instead of repeating it, unless it is ours', () => {
    const raised = (where: string) =>
      describeDatabaseError(
        serverError('23514', { message: 'I refuse tok_secret', routine: 'exec_stmt_raise', where }),
      );
    const theirs = raised('PL/pgSQL function public.check_key() line 1 at RAISE\nSQL statement "tok_secret"');
    expect(theirs.facts).to.deep.equal({ sqlstate: '23514', function: 'public.check_key()' });
    expect(JSON.stringify([theirs.message, theirs.facts, (theirs.cause as Error).stack]))
      .to.include('raised an exception')
      .and.not.include('tok_secret');
    expect(raised('PL/pgSQL function keylift.settle(bigint[],text[]) line 53 at RAISE').message).to.include('I refuse');
  });

  it('gives the exit code of the situation', () => {
    const exits = ['42501', '42P01', '42703', '25006', '57014', '40P01', '53100', 'XX000'].map(
      (code) => describeDatabaseError(serverError(code)).exitCode,
    );
    expect(exits).to.deep.equal([3, 2, 2, 3, 5, 5, 5, 1]);
  });

  it('passes a KeyliftError through', () => {
    const error = keyliftError('usage', { message: 'y' });
    expect(describeDatabaseError(error)).to.equal(error);
  });
});
