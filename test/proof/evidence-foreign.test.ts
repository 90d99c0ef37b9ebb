import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { FOREIGN_SETTINGS, foreignId as id, plantForeign } from '../support/foreign.js';
import { startGateway } from '../support/gateway.js';
import { Scenario } from '../support/scenario.js';
import { keylift } from '../cli/harness.js';
import { byKind, checkVerification, replayed, type Evidence, type Recorded } from './replays.js';

const digest = (word: string): string => `\\x${createHash('sha256').update(word).digest('hex')}`;

describe('replay and probe on another schema', () => {
  let scenario: Scenario;
  let config: string;
  before(async () => {
    scenario = await Scenario.open({ schema: 'none' });
    config = await scenario.file('keylift.config.json', JSON.stringify(FOREIGN_SETTINGS));
    await plantForeign(scenario.db);
  });
  after(() => scenario.close());

  const RECORDED: Recorded[] = [
    { key_id: id(1), api: 'ocr', allowed: true },
    { token: digest('one'), api: 'invoices', allowed: false },
    { token: digest('one').toUpperCase().replace('X', 'x'), api: 'mine', allowed: false },
    { key_id: id(2), api: 'mine', allowed: true },
    { key_id: id(2), api: 'ocr', allowed: false },
    { token: digest('twins'), api: 'invoices', allowed: true },
    { key_id: id(4), api: 'ocr', allowed: true },
    { token: digest('no prefix'), api: 'ocr', allowed: false },
    { key_id: id(5), api: 'ocr', allowed: false },
  ];

  it('replays ids that are uuids and tokens that are bytes, before, during and after', async () => {
    for (const command of ['', 'migrate --yes --until backfill', 'migrate --yes', 'finalize --yes', 'rollback --yes']) {
      if (command !== '') await scenario.must(`${command} --config ${config}`);
      const replay = await replayed(scenario, RECORDED, { flags: ['--config', config] });
      expect(byKind(replay), command).to.deep.equal({ widened: 1 });
      expect(replay).to.include({ unknown_keys: 2 });
      expect(replay.kinds[0]!.differences[0]).to.include({
        key_id: id(1),
        fingerprint: createHash('sha256')
          .update(Buffer.from(digest('one').slice(2), 'hex'))
          .digest('hex')
          .slice(0, 12),
      });
    }
  });

  it('probes with a key that is named by its id, as only its digest is stored', async () => {
    const gateway = await startGateway({ url: scenario.db.url, asks: 'legacy' });
    const request = {
      method: 'POST',
      path: '/v1/nothing',
      header: 'Authorization: Token ${KEY}',
      before: 404,
      after: 500,
    };
    try {
      const file = await scenario.file(
        'probe.json',
        JSON.stringify({
          baseUrl: gateway.url,
          requests: [
            { ...request, keyId: id(1) },
            { ...request, keyId: id(2) },
            { ...request, keyId: id(4) },
          ],
        }),
      );
      for (const [command, switched] of [
        ['migrate --yes --until verify', [false, false, false]],
        ['switch --all --yes', [true, false, true]],
      ] as const) {
        await scenario.must(`${command} --config ${config}`);
        const ended = await keylift(['verify', '--probe', file, '--config', config, '--json'], {
          env: { DATABASE_URL: scenario.db.url, KEY: 'one' },
        });
        const { probe } = checkVerification(JSON.parse(ended.stdout) as Evidence);
        expect(probe.results.map((result) => result.switched)).to.deep.equal(switched);
        expect(probe.results.map((result) => result.key_id)).to.deep.equal([id(1), id(2), id(4)]);
        expect(ended.exitCode).to.equal(switched[0] ? 4 : 0);
      }
    } finally {
      await gateway.stop();
    }
  });
});
