import { readStatus, type Status } from '../status/status.js';
import type { Opened } from './opened.js';

/** Where a migration is: what `status --json` prints. */
export const status = ({ database, schema }: Opened): Promise<Status> =>
  database.readOnly((session) => readStatus(session, schema));
