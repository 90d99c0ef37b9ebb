import type { CommandDefinition } from '../definition.js';
import type { Group } from '../overview.js';
import { completion } from './completion.js';
import { check, init } from './setup.js';
import { demo, explain, plan, report, snapshot, status, verify } from './looking.js';
import { finalize, migrate, pause, resume, rollback, switchAccounts, tune } from './moving.js';

/** Every command by the operator's path, each with the words that help has room for. */
export const GROUPS: readonly Group[] = [
  {
    title: 'Look',
    commands: [
      { definition: demo, brief: 'the whole story with shipped data, on a server of its own' },
      { definition: init, brief: "write a first configuration from the database's catalog" },
      { definition: check, brief: 'what is wrong with the configuration, all at once' },
      { definition: plan, brief: 'what would happen to each key, and who gains what' },
      { definition: explain, brief: "one key's story" },
    ],
  },
  {
    title: 'Move',
    commands: [
      { definition: migrate, brief: 'all stages up to the switch; run again, it resumes' },
      { definition: verify, brief: 'the proof that no client has to change anything' },
      { definition: switchAccounts, brief: 'answer accounts from Settings, or back; all, or a cohort' },
      { definition: rollback, brief: 'everything back to the per-API keys' },
    ],
  },
  {
    title: 'Steer',
    commands: [
      { definition: status, brief: 'stage, progress, time left, why it waits; --watch follows' },
      { definition: pause, brief: 'let a run wait, from another terminal' },
      { definition: resume, brief: 'let it go on' },
      { definition: tune, brief: 'change its pace while it goes' },
    ],
  },
  {
    title: 'After',
    commands: [
      { definition: report, brief: 'one HTML page of a run, for the change ticket' },
      { definition: finalize, brief: 'archive the moved per-API rows; --purge deletes them' },
    ],
  },
  {
    title: 'Your CI',
    commands: [{ definition: snapshot, brief: 'run cases of your own and compare with their snapshots' }],
  },
  { title: 'Shell', commands: [{ definition: completion, brief: 'a script for bash or zsh: Tab completes the rest' }] },
];

/** Every command, in that order. */
export const COMMANDS: readonly CommandDefinition[] = GROUPS.flatMap(({ commands }) =>
  commands.map(({ definition }) => definition),
);
