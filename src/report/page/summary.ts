import { grouped } from '../../format.js';
import type { ReportFacts } from '../facts/document.js';

/** `good` and `calm`: nothing to do. `warn` and `bad`: a person has to act. */
export type Tone = 'good' | 'calm' | 'warn' | 'bad';

export interface Summary {
  tone: Tone;
  title: string;
  text: string;
}

/** The state of the migration in a title and a sentence. */
export function summaryOf(facts: ReportFacts): Summary {
  const { migration, last_proof: proof, status } = facts;
  if (status.run === null && proof?.ok === false && migration.state === 'active') {
    return {
      tone: 'bad',
      title: 'The last proof found differences',
      text: 'See the proof below. keylift does not switch any account until a proof passes.',
    };
  }
  return BY_STATE[migration.state]?.(facts) ?? active(facts);
}

const BY_STATE: Partial<Record<ReportFacts['migration']['state'], (facts: ReportFacts) => Summary>> = {
  rolled_back: () => ({
    tone: 'calm',
    title: 'Rolled back',
    text: 'Every account is on its per-API keys, as before the migration. They have the changes made since.',
  }),
  rolling_back: ({ status }) => ({ tone: 'warn', title: 'The rollback is not done', text: reason(status.reason) }),
  restoring: ({ status }) => ({ tone: 'warn', title: 'The rollback is not done', text: reason(status.reason) }),
  finalizing: ({ status }) => ({
    tone: status.run === null ? 'warn' : 'calm',
    title: 'Finalize is not done',
    text: reason(status.reason),
  }),
  finalized: () => ({
    tone: 'good',
    title: 'Finalized',
    text: 'The moved per-API rows are in the archive. keylift rollback can still restore them.',
  }),
  purged: () => ({
    tone: 'good',
    title: 'Finalized and purged',
    text: 'The archive is deleted. A rollback is no longer possible, and nothing is left to do.',
  }),
};

const reason = (text: string | null): string =>
  text === null ? 'A run is active.' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function active({ migration: { stage }, status, accounts, timeline }: ReportFacts): Summary {
  if (timeline.batches.failed > 0) {
    return {
      tone: 'bad',
      title: `${grouped(timeline.batches.failed)} ranges of keys failed`,
      text: 'All others are done. keylift migrate tries these ranges again.',
    };
  }
  if (status.run !== null) {
    return {
      tone: 'calm',
      title: `A run is active (${status.state})`,
      text: status.reason === null ? `Last stage completed: ${stage ?? 'none'}.` : reason(status.reason),
    };
  }
  if (status.switched === 'all') {
    return {
      tone: 'good',
      title: 'Moved, proven and switched',
      text: 'Every account is answered from Settings: its keys open the whole store.',
    };
  }
  if (status.switched === 'some') {
    const switched = `${grouped(accounts.switched)} of ${grouped(accounts.total)} accounts`;
    return {
      tone: 'calm',
      title: 'Moved, proven, partly switched',
      text: `${switched} are answered from Settings; all others open what they opened before.`,
    };
  }
  if (stage === 'verify') {
    return {
      tone: 'calm',
      title: 'Moved and proven, not switched',
      text: 'Every account is on its per-API keys: no key opens anything that it did not open before.',
    };
  }
  return { tone: 'calm', title: stage === null ? 'Started' : `${stage} is done`, text: reason(status.reason) };
}
