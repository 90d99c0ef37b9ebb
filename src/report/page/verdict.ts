import type { Chronicle } from '../facts/document.js';
import { grouped } from '../../console/text.js';

/** `good`: nothing to do. `calm`: under way or at rest, as it should be. `warn` and `bad` want a person. */
export type Tone = 'good' | 'calm' | 'warn' | 'bad';

export interface Verdict {
  tone: Tone;
  title: string;
  text: string;
}

/** Where the migration stands, in one line and one sentence. */
export function verdictOn(chronicle: Chronicle): Verdict {
  const { migration, last_proof: proof, status } = chronicle;
  if (status.run === null && proof?.ok === false && migration.state === 'active') {
    return {
      tone: 'bad',
      title: 'The last proof found differences',
      text: 'See the proof below; no switch goes past it.',
    };
  }
  return BY_STATE[migration.state]?.(chronicle) ?? active(chronicle);
}

const BY_STATE: Partial<Record<Chronicle['migration']['state'], (chronicle: Chronicle) => Verdict>> = {
  rolled_back: () => ({
    tone: 'calm',
    title: 'Taken back',
    text: 'Every account is on its per-API keys, as before the migration. What happened meanwhile is kept in them.',
  }),
  rolling_back: ({ status }) => ({ tone: 'warn', title: 'Half taken back', text: reason(status.reason) }),
  restoring: ({ status }) => ({ tone: 'warn', title: 'Half taken back', text: reason(status.reason) }),
  finalizing: ({ status }) => ({
    tone: status.run === null ? 'warn' : 'calm',
    title: 'Finalize is not done',
    text: reason(status.reason),
  }),
  finalized: () => ({
    tone: 'good',
    title: 'Finalized',
    text: 'The moved per-API rows are in the archive; keylift rollback still brings them back.',
  }),
  purged: () => ({
    tone: 'good',
    title: 'Finalized and purged',
    text: 'The archive is deleted. There is no way back, and nothing left to do.',
  }),
};

const reason = (text: string | null): string =>
  text === null ? 'A run is at work.' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function active({ migration: { stage }, status, accounts, timeline }: Chronicle): Verdict {
  if (timeline.batches.failed > 0) {
    return {
      tone: 'bad',
      title: `${grouped(timeline.batches.failed)} ranges of keys failed`,
      text: 'All others are done. keylift migrate goes on with these ranges.',
    };
  }
  if (status.run !== null)
    return {
      tone: 'calm',
      title: `A run is at work (${status.state})`,
      text: status.reason === null ? `Stages completed: up to ${stage ?? 'none'}.` : reason(status.reason),
    };
  if (status.switched === 'all')
    return {
      tone: 'good',
      title: 'Moved, proven and switched',
      text: 'Every account is answered from Settings: its keys open the whole store.',
    };
  if (status.switched === 'some') {
    return {
      tone: 'calm',
      title: 'Moved, proven, partly switched',
      text: `${grouped(accounts.switched)} of ${grouped(accounts.total)} accounts are answered from Settings; all others open what they opened.`,
    };
  }
  if (stage === 'verify')
    return {
      tone: 'calm',
      title: 'Moved and proven, not switched',
      text: "Every account is on its per-API keys: nobody's key opens anything it did not open before.",
    };
  return { tone: 'calm', title: stage === null ? 'Begun' : `${stage} is done`, text: reason(status.reason) };
}
