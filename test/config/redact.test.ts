import { expect } from 'chai';
import { redactText, redactUrl, secretsOfUrl } from '../../src/config/redact.js';

describe('redactUrl', () => {
  it('takes passwords out, wherever they stand', () => {
    expect(redactUrl('postgres://ann:s3cret@db:5432/shop')).to.equal('postgres://ann:***@db:5432/shop');
    expect(redactUrl('postgres://ann@db/shop?password=s3cret&sslmode=require')).to.equal(
      'postgres://ann@db/shop?password=***&sslmode=require',
    );
    expect(redactUrl('postgres://ann@db/shop')).to.equal('postgres://ann@db/shop');
  });

  it('shows nothing of what is no URL', () => {
    expect(redactUrl('ann:s3cret@db')).not.to.include('s3cret');
    expect(redactUrl('host=db password=s3cret')).to.equal('(unreadable database URL)');
  });
});

describe('redactText', () => {
  it('masks the password as written and as meant', () => {
    const secrets = secretsOfUrl('postgres://ann:p%40ss%2Fword@db/shop');
    expect(redactText('tried p@ss/word, written p%40ss%2Fword', secrets)).to.equal('tried ***, written ***');
  });

  it('masks the longest first and ignores what is too short to be told apart', () => {
    expect(redactText('abcdef abc a', ['abc', 'abcdef', 'a', ''])).to.equal('*** *** a');
  });

  it('finds the password of a URL that cannot be parsed', () => {
    expect(secretsOfUrl('postgres://ann:s3cret@db:port/shop')).to.include('s3cret');
  });
});
