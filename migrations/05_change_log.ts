import { installChangeLog, removeChangeLog } from '../src/mirror/install.js';
import { step } from './context.js';

/** Expand, last step: the change log. */
export const changeLog = step({ name: '05_change_log', up: installChangeLog, down: removeChangeLog });
