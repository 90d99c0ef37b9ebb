import { expect } from 'chai';
import type { TestDatabase } from '../support/database.js';
import { until } from '../support/waiting.js';
import type { Lane } from './lane.js';
import type { Failpoint } from './sites.js';
import type { Met, Victim } from './victim.js';

/** Where the process stands, and what can be done to it. */
export interface Scene {
  lane: Lane;
  victim: Victim;
  met: Met;
}

export interface Fault {
  /** Does it, and lets the process go on, where it still can. */
  strike(scene: Scene): Promise<void>;
  /** How the process may end: killed, stopped with work left, or recovered and done. */
  ends: readonly (number | NodeJS.Signals)[];
  /** Whether it makes sense there. */
  fits(failpoint: Failpoint): boolean;
}

const everywhere = (): boolean => true;

export const FAULTS: Record<string, Fault> = {
  'kill -9': {
    strike: ({ victim }) => Promise.resolve(void victim.process.kill('SIGKILL')),
    ends: ['SIGKILL'],
    fits: everywhere,
  },
  SIGTERM: {
    strike: async ({ victim }) => {
      victim.process.kill('SIGTERM');
      await until('the signal to be heard', () => victim.output().includes('SIGTERM: finishing'));
      victim.release();
    },
    ends: [130, 0, 6],
    fits: everywhere,
  },
  'connection reset': {
    strike: ({ lane, victim }) => {
      lane.proxy.reset();
      return Promise.resolve(victim.release());
    },
    ends: [5, 0, 6],
    fits: everywhere,
  },
  'server crash': {
    strike: async ({ lane, victim }) => {
      const back = lane.server.restart('immediate');
      victim.release();
      await back;
    },
    ends: [5, 0, 6],
    fits: everywhere,
  },
  'lost answer': {
    strike: async ({ lane, victim, met }) => {
      const before = lane.proxy.lostAnswers;
      lane.proxy.loseAnswerToCommit(met.port);
      victim.release();
      await until('the answer to be lost', () => lane.proxy.lostAnswers > before);
    },
    ends: [5, 0, 6],
    fits: ({ at }) => at === 'before commit',
  },
};

/**
 * Keeps an index from being finished: its build waits for a transaction that wrote to its table. Resolves to what ends
 * that transaction.
 */
export async function holdBuild(db: TestDatabase, { table }: { table: string }): Promise<() => Promise<void>> {
  const holder = await db.connect();
  await holder.query(`begin; lock table ${table} in row exclusive mode`);
  return async () => {
    await holder.end().catch(() => undefined); // the server may have crashed
  };
}

/** Resolves when this server process is in the middle of building, or of dropping, an index, or waits to begin. */
export async function untilBuilding(db: TestDatabase, { backend }: Met): Promise<void> {
  expect(backend, 'the server process that builds').to.be.a('number');
  await until(
    'an index to be half built',
    async () =>
      (
        await db.query(
          `select from pg_stat_activity a where a.pid = $1 and a.wait_event_type = 'Lock' and a.query like '%INDEX%'`,
          [backend],
        )
      ).length > 0,
  );
}
