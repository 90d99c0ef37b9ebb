import { command, count, expectAnswer, LAGGING, type Done } from './commands.js';
import type { Ground } from './ground.js';
import { isMoved } from './model.js';
import { freeze, purge as emptyArchive } from './writes.js';

export async function finalize(ground: Ground): Promise<Done> {
  const { migration } = ground;
  const ready = migration.state === 'active' && migration.stage === 'switch' && migration.mode === 'all';
  const allowed = ready || migration.isFinal;
  const ended = await command(ground, 'finalize --yes --json', [allowed ? 0 : 3]);
  if (!allowed) return LAGGING;
  if (ready) for (const { model } of ground.worlds) freeze(model, migration);
  if (migration.state === 'purged') {
    expectAnswer(ground, ended, { state: 'purged', archived: 0 });
    return LAGGING;
  }
  migration.state = 'finalized';
  const archived = ground.worlds.flatMap(({ model }) => [...model.keys.keys()].filter((id) => isMoved(model.frozen?.get(id)))).length;
  expectAnswer(ground, ended, { state: 'finalized', archived });
  return { caughtUp: ready };
}

/** From here on there is no per-API key to come back to. */
export async function purge(ground: Ground): Promise<Done> {
  const { migration } = ground;
  const ended = await command(ground, 'finalize --purge --yes --json', [migration.isFinal ? 0 : 3]);
  if (!migration.isFinal) return LAGGING;
  const archived = migration.state === 'purged' ? 0 : count(ground, 'move') + count(ground, 'merge');
  migration.state = 'purged';
  for (const { model } of ground.worlds) emptyArchive(model);
  expectAnswer(ground, ended, { state: 'purged', archived });
  return LAGGING;
}
