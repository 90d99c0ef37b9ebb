import { expect } from 'chai';
import pg from 'pg';
import { locateBinaries } from '../../src/embedded/binaries.js';
import { startEmbeddedServer } from '../../src/embedded/server.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';

/** Is this major version there for this platform? npm leaves out what no platform package exists for. */
function isInstalled(major: number): boolean {
  try {
    return locateBinaries(major).major === major;
  } catch (error) {
    if (error instanceof KeyliftError && error.code === 'embedded_not_installed') return false;
    throw error;
  }
}

describe('embedded servers of other major versions', () => {
  it('are all installed where the gate runs', function () {
    if (process.env['KEYLIFT_TEST_EXTRAS'] !== 'required') {
      this.skip();
      return;
    } // npm run extras
    expect([14, 15, 16, 17, 18].filter(isInstalled)).to.deep.equal([14, 15, 16, 17, 18]);
  });

  for (const major of [14, 15, 16, 17]) {
    it(`${String(major)} starts, orders as the shipped one does, and stops`, async function () {
      if (!isInstalled(major)) {
        this.skip();
        return;
      }
      const server = await startEmbeddedServer({ majorVersion: major, settings: { fsync: 'off' } });
      const client = new pg.Client({ connectionString: server.url() });
      try {
        await client.connect();
        const { rows } = await client.query<{ major: number; encoding: string; ordered: string }>(`
          select current_setting('server_version_num')::int / 10000 as major,
            current_setting('server_encoding') as encoding,
            (select string_agg(v, '' order by v) from unnest(array['é', 'b', 'B', 'a', '_']) v) as ordered`);
        expect(rows).to.deep.equal([{ major, encoding: 'UTF8', ordered: 'B_abé' }]);
        expect(server.version).to.match(new RegExp(`^${String(major)}\\.`));
      } finally {
        await client.end();
        await server.stop();
      }
    });
  }

  it('say which one is not there', () => {
    expect(() => locateBinaries(13))
      .to.throw(KeyliftError)
      .with.property('code', 'embedded_not_installed');
  });
});
