import { forTerminal } from '../escaping.js';
import type { Status } from '../status/status.js';
import { elapsed, grouped, lookupText } from '../format.js';
import { wrap } from './layout.js';

/** The state of the migration. */
export function statusText(s: Status): string {
  return [
    `${s.state.replace('_', ' ')}; last stage completed: ${s.stage ?? 'none'}`,
    wrap(`${grouped(s.moved)} of ${grouped(s.total)} per-API keys are account keys${paceText(s)}`, INDENTED),
    wrap(`accounts answered from Settings: ${s.switched}; exceptions waiting: ${grouped(s.exceptions)}`, INDENTED),
    ...(s.run === null
      ? []
      : [
          wrap(
            `run ${s.run.id}: ${s.run.command} on ${s.run.host}, process ${String(s.run.pid)}, ` +
              `since ${s.run.started_at}, last heartbeat ${elapsed(s.run.heartbeat_seconds)} ago`,
            INDENTED,
          ),
        ]),
    ...(s.lookups === null ? [] : [wrap(lookupText(s.lookups.p95_seconds, s.lookups.limit_seconds), INDENTED)]),
    ...(s.reason === null ? [] : [wrap(s.reason, INDENTED)]),
    '',
  ].join('\n');
}

const INDENTED = { first: '  ', rest: '    ' };

function paceText({ rows_per_second: rate, seconds_left: left }: Status): string {
  if (rate === null) return '';
  return `, ${grouped(rate)} rows/s${left === null ? '' : `, about ${elapsed(left)} left`}`;
}

/** The same in one line, for `status --watch` without a terminal. */
export function statusLine(s: Status): string {
  const parts = [
    s.state.replace('_', ' '),
    `stage ${s.stage ?? 'none'}`,
    `${grouped(s.moved)} of ${grouped(s.total)} keys${paceText(s)}`,
    `switched: ${s.switched}`,
    ...(s.exceptions === 0 ? [] : [`exceptions: ${grouped(s.exceptions)}`]),
    ...(s.reason === null ? [] : [s.reason]),
  ];
  return `${forTerminal(parts.join('; '))}\n`;
}

/** The part of a status whose change is worth a new line. The pace is not: it changes every second. */
export const statusEssence = (s: Status): string =>
  JSON.stringify([s.state, s.stage, s.moved, s.total, s.switched, s.exceptions, s.reason, s.run?.id]);
