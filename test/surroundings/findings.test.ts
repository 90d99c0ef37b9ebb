import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { anchorsOf, readDocument } from '../docs/headings.js';
import { CALLS, findings, foreignKey, OID, table, told, trigger } from './around.js';

describe('findings about the surroundings', () => {
  it('are none where nothing meets the tables', () => {
    expect(findings({})).to.deep.equal([]);
  });

  it('begin with the gates, then the warnings', () => {
    const found = findings({
      triggers: [trigger(), trigger({ name: 'deny', events: ['DELETE'] })],
      rules: [{ table: OID.keys, name: 'log', event: 'DELETE', instead: false, enabled: 'O' }],
    });
    expect(found.map(({ severity }) => severity)).to.deep.equal(['gate', 'gate', 'warning', 'warning']);
  });

  describe('of a trigger on the keys', () => {
    const of = (changes: Parameters<typeof trigger>[0]): string[] => told(findings({ triggers: [trigger(changes)] }));
    const name = 'trigger audit on public.api_keys';

    it('that sees a change of any column warn of the bulk of last use', () => {
      expect(of({})).to.deep.equal([`warning: ${name} (mirror, verify, switch, finalize, rollback)`]);
    });

    it('are fine where it sees changes made in Settings alone, after them and on a path of its own', () => {
      expect(of({ columns: ['revoked_at'] })).to.deep.equal([`fine: ${name} (mirror)`]);
    });

    it('are fine where it sees columns that keylift never sets', () => {
      expect(of({ columns: ['api_id', 'created_at'] })).to.deep.equal([`fine: ${name} ()`]);
    });

    it('warn where it may change the row, or finds its tables by the path of the session', () => {
      expect(of({ columns: ['name'], timing: 'BEFORE' })).to.deep.equal([`warning: ${name} (mirror)`]);
      expect(
        of({ columns: ['name'], function: { name: 'f', owner: 'o', securityDefiner: true, searchPath: null } }),
      ).to.deep.equal([`warning: ${name} (mirror)`]);
    });

    it('refuse finalize for deletes, and the rollback after it for inserts', () => {
      expect(of({ events: ['DELETE'], level: 'STATEMENT' })).to.deep.equal([
        `delete_triggers: ${name} (finalize)`,
        `fine: ${name} (mirror, finalize)`,
      ]);
      expect(of({ events: ['INSERT'], level: 'STATEMENT' })).to.deep.equal([
        `insert_triggers: ${name} (rollback)`,
        `fine: ${name} (rollback)`,
      ]);
    });

    it('are fine where it is disabled, or fires in replica sessions alone', () => {
      for (const enabled of ['D', 'R'] as const)
        expect(of({ enabled, events: ['INSERT', 'DELETE'] }), enabled).to.deep.equal([`fine: ${name} ()`]);
    });

    it('follow the configuration: a column of another name, and carried ones', () => {
      const keys = { ...DEFAULT_SETTINGS.legacy.keys, lastUsedAt: 'seen_at', carry: ['note'] };
      const settings = { ...DEFAULT_SETTINGS, legacy: { ...DEFAULT_SETTINGS.legacy, keys } };
      const phases = (columns: string[]) =>
        findings({ triggers: [trigger({ columns, level: 'STATEMENT' })] }, settings)[0]!.phases;
      expect(phases(['seen_at'])).to.include('verify');
      expect(phases(['last_used_at'])).to.deep.equal([]);
      expect(phases(['note'])).to.deep.equal(['mirror']);
    });
  });

  it('of a trigger on APIs or accounts are fine: keylift writes none of them', () => {
    for (const oid of [OID.apis, OID.accounts])
      expect(
        findings({ triggers: [trigger({ table: oid, events: ['INSERT', 'UPDATE', 'DELETE'], timing: 'BEFORE' })] }).map(
          ({ severity, phases }) => [severity, phases],
        ),
      ).to.deep.equal([['fine', []]]);
  });

  it('of a trigger on the new table warn of the copy, and refuse nothing', () => {
    expect(told(findings({ triggers: [trigger({ table: OID.target, events: ['INSERT', 'DELETE'] })] }))).to.deep.equal([
      'warning: trigger audit on public.account_api_keys (backfill, mirror, rollback)',
    ]);
  });

  it('of a rule refuse expand where it rewrites a write of keylift, whichever kind of rule it is', () => {
    for (const instead of [true, false])
      expect(
        told(findings({ rules: [{ table: OID.keys, name: 'r', event: 'UPDATE', instead, enabled: 'O' }] })),
      ).to.deep.equal(['rules: rule r on public.api_keys (expand, mirror, verify, switch, finalize, rollback)']);
    expect(
      told(findings({ rules: [{ table: OID.apis, name: 'r', event: 'UPDATE', instead: true, enabled: 'O' }] })),
    ).to.deep.equal(['fine: rule r on public.apis ()']);
  });

  it('of an event trigger warn of DDL alone', () => {
    const run = { name: 'public.log_ddl', owner: 'o', securityDefiner: false, searchPath: null };
    const of = (event: string) =>
      findings({ eventTriggers: [{ name: 'log', event, tags: [], enabled: 'O', function: run }] });
    expect(told(of('ddl_command_end'))).to.deep.equal([
      'warning: event trigger log (expand, harden, finalize, rollback)',
    ]);
    expect(told(of('login'))).to.deep.equal(['fine: event trigger log (expand)']);
  });

  describe('of a foreign key', () => {
    const of = (changes: Parameters<typeof foreignKey>[0]) => findings({ foreignKeys: [foreignKey(changes)] });
    const target = { oid: OID.target, table: 'public.account_api_keys', columns: ['id'] };

    it('to the keys warn of finalize, to the new table of a rollback', () => {
      expect(told(of({}))).to.deep.equal(['warning: foreign key calls_key of public.calls (finalize)']);
      expect(told(of({ to: target }))).to.deep.equal(['warning: foreign key calls_key of public.calls (rollback)']);
    });

    it('refuse where the role cannot see every row that references a key', () => {
      for (const changes of [{ hidden: true }, { readable: false }])
        expect(told(of(changes))).to.deep.equal([
          'hidden_references: foreign key calls_key of public.calls (finalize)',
        ]);
    });

    it('from the keys are fine to mapped tables, and a warning to others', () => {
      const from = { oid: OID.keys, table: 'public.api_keys', columns: ['x'] };
      const to = (oid: string) => of({ from, to: { oid, table: 'public.t', columns: ['id'] } });
      expect(to(OID.apis)[0]!.severity).to.equal('fine');
      expect(to(OID.accounts)[0]!.phases).to.deep.equal(['harden', 'mirror']);
      expect(to('77')[0]!.severity).to.equal('warning');
    });

    it('of other tables to accounts and APIs are counted: keylift deletes none of these rows', () => {
      const to = { oid: OID.accounts, table: 'public.accounts', columns: ['id'] };
      const found = findings({ foreignKeys: [foreignKey({ to }), foreignKey({ to, from: { ...CALLS, oid: '10' } })] });
      expect(found.map(({ severity, fact }) => [severity, fact])).to.deep.equal([
        ['fine', '2 foreign keys of other tables'],
      ]);
    });

    it('say its whole shape', () => {
      const [found] = of({
        from: { ...CALLS, columns: ['key_id', 'account_id'] },
        to: { oid: OID.keys, table: 'public.api_keys', columns: ['id', 'account_id'] },
        onUpdate: 'CASCADE',
        match: 'FULL',
        deferrable: true,
        deferred: true,
        validated: false,
        enforced: false,
      });
      expect(found!.fact).to.equal(
        '(key_id, account_id) REFERENCES public.api_keys (id, account_id), ON DELETE CASCADE, ON UPDATE CASCADE, ' +
          'MATCH FULL, DEFERRABLE INITIALLY DEFERRED, NOT VALID: older rows may break it, not enforced: its triggers are disabled',
      );
    });
  });

  describe('of access', () => {
    const rowSecurity = { enabled: true, forced: false, active: false };

    it('warn of policies that the new table does not have, and refuse where rows are hidden', () => {
      const of = (changes: object) =>
        told(findings({ tables: [table('keys', { rowSecurity: { ...rowSecurity, ...changes } })] }));
      expect(of({})).to.deep.equal(['warning: row-level security of public.api_keys (expand, mirror)']);
      expect(of({ active: true })).to.deep.equal([
        'row_security: row-level security of public.api_keys (expand, finalize)',
      ]);
    });

    it('warn of who reads tokens in the new table and did not before', () => {
      const grant = { table: OID.target, grantee: 'web', privileges: ['SELECT'], columns: [] };
      expect(told(findings({ grants: [grant] }))).to.deep.equal([
        'warning: privileges of web on public.account_api_keys (expand, mirror)',
      ]);
      expect(
        findings({ grants: [grant, { ...grant, table: OID.keys }] }).map(({ severity }) => severity),
      ).to.deep.equal(['fine', 'fine']);
    });

    it('say that default privileges of this role are revoked, and need nothing', () => {
      const grant = {
        creator: 'keylift_operator',
        schema: null,
        kind: 'tables',
        grantee: 'web',
        privileges: ['SELECT'],
      } as const;
      const of = (changes: object) => {
        const { severity, meets } = findings({ defaultGrants: [{ ...grant, privileges: ['SELECT'], ...changes }] })[0]!;
        return { severity, revoked: meets.includes('revokes') };
      };
      expect(of({})).to.deep.equal({ severity: 'fine', revoked: true });
      expect(of({ kind: 'functions' })).to.deep.equal({ severity: 'fine', revoked: true });
      expect(of({ creator: 'somebody' })).to.deep.equal({ severity: 'fine', revoked: false });
    });
  });

  describe('of replication', () => {
    const publication = {
      name: 'p',
      allTables: false,
      targetSchema: false,
      publishes: ['UPDATE' as const],
      tables: [OID.keys],
    };

    it('refuse where published keys have no replica identity and changes of rows are published', () => {
      const tables = [table('keys', { replicaIdentity: 'none' })];
      expect(told(findings({ tables, publications: [publication] }))).to.deep.equal([
        'replica_identity: publication p (expand, mirror, finalize, rollback)',
      ]);
      expect(
        findings({ tables, publications: [{ ...publication, publishes: ['INSERT'] }] }).map(({ severity }) => severity),
      ).to.deep.equal(['fine']);
    });

    it('warn of deletes that subscribers get, and of tables that will be published', () => {
      const all = { ...publication, allTables: true, publishes: ['UPDATE' as const, 'DELETE' as const] };
      expect(findings({ publications: [all] }).map(({ severity, meets }) => [severity, meets])).to.deep.equal([
        ['warning', 'finalize deletes the archived rows, and a rollback inserts them again'],
        ['warning', 'it publishes the new table, the ledger and the archive'],
      ]);
    });

    it('refuse a subscription that feeds the keys, and warn of one that feeds the accounts', () => {
      const of = (oid: string) => told(findings({ subscriptions: [{ name: 's', enabled: true, table: oid }] }));
      expect(of(OID.keys)).to.deep.equal(['subscriber: subscription s (expand, finalize)']);
      expect(of(OID.accounts)).to.deep.equal(['warning: subscription s (harden, mirror)']);
    });

    it('refuse a standby, and standbys that are away', () => {
      const of = (names: string, connected: number, changes: object = {}) =>
        findings({ standbys: { names, commit: 'on', connected, visible: true, ...changes } }).map(
          ({ severity }) => severity,
        );
      expect(of('', 0)).to.deep.equal([]);
      expect(of('a, b', 0)).to.deep.equal(['gate']);
      expect(of('a, b', 1)).to.deep.equal(['fine']);
      expect(of('FIRST 2 (a, b)', 1)).to.deep.equal(['gate']);
      expect(of('any 2 (a, b, c)', 2)).to.deep.equal(['fine']);
      expect(of('2 (a, b)', 1)).to.deep.equal(['gate']);
      expect(of('*', 0, { commit: 'local' })).to.deep.equal([]);
      expect(of('*', 0, { visible: false })).to.deep.equal(['warning']);
      expect(
        told(findings({ server: { version: 180_000, isStandby: true, encoding: 'UTF8', role: 'r' } })),
      ).to.deep.equal(['standby: the server (expand, finalize, rollback)']);
    });
  });

  describe('of shapes', () => {
    it('refuse keys that are APIs or accounts: the same table, a partition, a view', () => {
      const of = (...tables: ReturnType<typeof table>[]) => told(findings({ tables }));
      const name = 'public.api_keys (expand, finalize)';
      expect(of(table('keys'), table('apis', { oid: OID.keys }))).to.deep.equal([`keys_in_apis: ${name}`]);
      expect(of(table('keys'), table('accounts', { oid: OID.keys }))).to.deep.equal([`keys_in_accounts: ${name}`]);
      expect(of(table('keys'), table('apis', { kind: 'v', from: [OID.keys] }))).to.deep.equal([
        `keys_in_apis: ${name}`,
      ]);
      expect(of(table('keys', { from: [OID.accounts] }), table('accounts'))).to.deep.equal([
        `keys_in_accounts: ${name}`,
      ]);
      expect(of(table('keys'), table('apis', { oid: OID.accounts }), table('accounts'))).to.deep.equal([]);
    });

    it('refuse a partition that is a foreign table', () => {
      const part = table('keys', { oid: '8', isPartition: true, name: 'public.old_keys' });
      expect(told(findings({ tables: [table('keys', { kind: 'p' }), part] }))).to.deep.equal([
        'fine: public.api_keys (expand, mirror)',
      ]);
      expect(told(findings({ tables: [table('keys', { kind: 'p' }), { ...part, kind: 'f' }] }))[0]).to.equal(
        'foreign_partition: public.old_keys (expand)',
      );
    });

    it('warn of what reads the keys before finalize', () => {
      const reader = { kind: 'view' as const, name: 'public.v', table: OID.keys, certain: true };
      expect(told(findings({ readers: [reader] }))).to.deep.equal(['warning: view public.v (finalize)']);
      expect(told(findings({ readers: [{ ...reader, table: OID.target }] }))).to.deep.equal([
        'fine: view public.v (rollback)',
      ]);
    });
  });

  describe('of settings', () => {
    it('are fine for limits that keylift lifts, and nothing for the defaults', () => {
      expect(
        findings({
          sessionSettings: { transaction_timeout: '2000', statement_timeout: '0', 'plpgsql.extra_errors': 'none' },
        }).map(({ severity, object }) => [severity, object]),
      ).to.deep.equal([['fine', 'transaction_timeout of keylift_operator']]);
    });

    it('refuse sessions that fire no triggers, where their role may write to the keys', () => {
      const setting = { role: 'loader', name: 'session_replication_role' as const, value: 'replica', writesKeys: true };
      expect(told(findings({ roleSettings: [setting] }))[0]).to.include(
        'replica_sessions: session_replication_role of loader',
      );
      expect(findings({ roleSettings: [{ ...setting, writesKeys: false }] })[0]!.severity).to.equal('warning');
      expect(told(findings({ sessionSettings: { session_replication_role: 'replica' } }))[0]).to.include(
        'replica_sessions',
      );
    });

    it('warn of few free connections, and refuse where a run cannot work', () => {
      const of = (free: Partial<{ server: number; database: number; role: number }>) =>
        findings({ connections: { free: { server: 90, database: null, role: null, ...free } } }).map(
          ({ severity, object }) => `${severity}: ${object}`,
        );
      expect(of({ role: 6 })).to.deep.equal([]);
      expect(of({ role: 5 })).to.deep.equal(['warning: the connection limit of the role']);
      expect(of({ database: 0, server: 3 })).to.deep.equal([
        'gate: max_connections',
        'gate: the connection limit of the database',
      ]);
    });

    it('warn of a young prepared transaction, and refuse one that was forgotten', () => {
      const prepared = { gid: "it's", owner: 'app', seconds: 59, tables: [OID.keys] };
      const [young] = findings({ prepared: [prepared] });
      expect([young!.severity, young!.fact]).to.deep.equal(['warning', 'of app, for 59 s, has locked public.api_keys']);
      const [old] = findings({ prepared: [{ ...prepared, seconds: 60 }] });
      expect([old!.gate, old!.way_out]).to.deep.equal([
        'prepared_transactions',
        "COMMIT PREPARED 'it''s', or ROLLBACK PREPARED, as app or as a superuser",
      ]);
    });

    it('tell an encoding that does not say what bytes mean', () => {
      const of = (encoding: string) =>
        findings({ server: { version: 180_000, isStandby: false, encoding, role: 'r' } }).map(
          ({ severity }) => severity,
        );
      expect([of('UTF8'), of('LATIN1'), of('SQL_ASCII')]).to.deep.equal([[], ['fine'], ['warning']]);
    });
  });
});

describe('the gates of the surroundings', () => {
  it('have a section of the runbook each', () => {
    const anchors = anchorsOf(readDocument('runbook.md'));
    const gates = [
      'connections',
      'delete_triggers',
      'foreign_apis',
      'foreign_partition',
      'hidden_references',
      'insert_triggers',
      'keys_in_accounts',
      'keys_in_apis',
      'prepared_transactions',
      'references',
      'replica_identity',
      'replica_sessions',
      'row_security',
      'rules',
      'standby',
      'subscriber',
      'synchronous_standby',
    ];
    expect(
      gates.map((name) => `gate-${name.replaceAll('_', '-')}`).filter((name) => !anchors.includes(name)),
    ).to.deep.equal([]);
  });
});
