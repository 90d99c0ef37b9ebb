import { installArchive, removeArchive } from '../src/mirror/install-archive.js';
import { step } from './context.js';

/** Finalize, first step: the archive. From here on a new per-API key of a store API is refused. */
export const archive = step({ name: '13_archive', up: installArchive, down: removeArchive });
