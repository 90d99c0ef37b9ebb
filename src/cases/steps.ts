import type { Settings } from '../config/settings.js';
import { withMove, type MoveOptions } from './move.js';
import type { SnapshotSteps } from './run.js';

/** The steps of a case as keylift itself does them; each opens the database anew, as each command would. */
export function realSteps(given: Omit<MoveOptions, 'url'>, settings?: Settings): SnapshotSteps {
  const options = { ...given, settings };
  return {
    plan: (url, holdsFile) => withMove({ ...options, url }, (move) => move.plan(holdsFile)),
    migrate: (url, holdsFile) => withMove({ ...options, url }, (move) => move.migrate(holdsFile)),
    verify: (url) => withMove({ ...options, url }, (move) => move.verify()),
  };
}
