import { commandLine } from '../../console/command-line.js';
import { elapsed, grouped } from '../../format.js';
import type { ReportFacts, RunLine } from '../facts/document.js';
import { html, type Html } from './html.js';
import { exit, sentence, time } from './labels.js';

/** The page lists this many events, the latest ones. */
const MOST_LINES = 200;

interface Line {
  at: string;
  text: string;
  by: string;
  tone: '' | 'good' | 'bad';
}

/** What happened, in order. */
export function history(facts: ReportFacts): Html {
  const lines = linesOf(facts);
  return html`<section id="history">
    <h2>What happened</h2>
    ${lines.length > MOST_LINES ? html`<p>The latest ${String(MOST_LINES)} lines.</p>` : null}
    <ol class="history">
      ${lines.slice(-MOST_LINES).map(lineOf)}
    </ol>
  </section>`;
}

const lineOf = ({ at, text, by, tone }: Line): Html =>
  html`<li class="${tone}">${time(at)} <b>${text}</b> <small>${by}</small></li>`;

function linesOf({ events, proofs, runs, migration }: ReportFacts): Line[] {
  const host = new Map(runs.listed.map((run) => [run.run_id, run.host]));
  const by = (actor: string, run: string | null): string =>
    `${actor}${run === null || !host.has(run) ? '' : ` on ${host.get(run)!}`}`;
  const lines: Line[] = [
    { at: migration.started_at, text: `attempt ${String(migration.attempt)} started`, by: '', tone: '' },
    ...events.listed.map(({ at, kind, facts, actor, run_id: run }): Line => ({
      at,
      text: sentence(kind, facts),
      by: by(actor, run),
      tone: '',
    })),
    ...proofs.listed.map(({ proven_at: at, ok }): Line => ({
      at,
      text: ok ? 'the proof passed' : 'the proof found differences',
      by: '',
      tone: ok ? 'good' : 'bad',
    })),
    ...runs.listed
      .filter(hasFailed)
      .map((run): Line => ({
        at: run.ended_at!,
        text: `${run.command} ended with exit ${exit(run.exit_code!)}`,
        by: by(run.database_user, run.run_id),
        tone: 'bad',
      })),
  ];
  return lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

const hasFailed = ({ ended_at, exit_code }: RunLine): boolean =>
  ended_at !== null && exit_code !== null && exit_code !== 0 && exit_code !== 6;

const HEADS = ['started', 'command', 'took', 'exit', 'database user', 'host, process', 'attempt', 'run'];

/** All runs with their operators. */
export function runs(facts: ReportFacts): Html {
  const { listed, total } = facts.runs;
  const part = total > listed.length ? `; ${grouped(listed.length)} of ${grouped(total)}` : '';
  return html`<section id="runs">
    <h2>Runs</h2>
    <p>Commands that take the migration's lease, the latest first${part}. Times are UTC.</p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            ${HEADS.map((name) => html`<th>${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${listed.map(runLine)}
        </tbody>
      </table>
    </div>
  </section>`;
}

const runLine = (run: RunLine): Html =>
  html`<tr>
    <td>${time(run.started_at)}</td>
    <td><code>${commandLine(run)}</code></td>
    <td>${durationOf(run)}</td>
    <td>${endOf(run)}</td>
    <td>${run.database_user}</td>
    <td>${run.host}, ${run.pid}</td>
    <td>${run.attempt}</td>
    <td><code>${run.run_id.slice(0, 8)}</code></td>
  </tr>`;

const durationOf = ({ started_at: from, ended_at: to }: RunLine): string =>
  to === null ? '' : elapsed((Date.parse(to) - Date.parse(from)) / 1000);

function endOf({ ended_at, exit_code, waiting_for }: RunLine): string {
  if (ended_at === null) return waiting_for === null ? 'active, or lost' : `waiting: ${waiting_for}`;
  return exit_code === null ? 'lost' : exit(exit_code);
}
