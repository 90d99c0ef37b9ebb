import type { Chronicle, RunLine } from '../facts/document.js';
import { elapsed, grouped } from '../../console/text.js';
import { html, type Html } from './html.js';
import { exit, sentence, time } from './words.js';

/** Lines of the story; the latest. */
const MOST_LINES = 200;

interface Line {
  at: string;
  text: string;
  by: string;
  tone: '' | 'good' | 'bad';
}

/** What happened, in order. */
export function story(chronicle: Chronicle): Html {
  const lines = linesOf(chronicle);
  return html`<section id="story">
    <h2>The story</h2>
    ${lines.length > MOST_LINES ? html`<p>The latest ${String(MOST_LINES)} lines.</p>` : null}
    <ol class="story">
      ${lines.slice(-MOST_LINES).map(({ at, text, by, tone }) => html`<li class="${tone}">${time(at)} <b>${text}</b> <small>${by}</small></li>`)}
    </ol>
  </section>`;
}

function linesOf({ events, proofs, runs, migration }: Chronicle): Line[] {
  const host = new Map(runs.listed.map((run) => [run.run_id, run.host]));
  const by = (actor: string, run: string | null): string =>
    `${actor}${run === null || !host.has(run) ? '' : ` on ${host.get(run)!}`}`;
  return [
    { at: migration.started_at, text: `attempt ${String(migration.attempt)} begun`, by: '', tone: '' as const },
    ...events.listed.map(({ at, kind, facts, actor, run_id: run }) => ({
      at,
      text: sentence(kind, facts),
      by: by(actor, run),
      tone: '' as const,
    })),
    ...proofs.listed.map(({ proven_at: at, ok }) => ({
      at,
      text: ok ? 'the proof holds' : 'the proof found differences',
      by: '',
      tone: ok ? ('good' as const) : ('bad' as const),
    })),
    ...runs.listed
      .filter(stopped)
      .map((run) => ({
        at: run.ended_at!,
        text: `${run.command} ended with exit ${exit(run.exit_code!)}`,
        by: by(run.database_user, run.run_id),
        tone: 'bad' as const,
      })),
  ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** A run that ended otherwise than its operator wished. */
const stopped = ({ ended_at, exit_code }: RunLine): boolean =>
  ended_at !== null && exit_code !== null && exit_code !== 0 && exit_code !== 6;

/** Who ran what when. */
export function runs(chronicle: Chronicle): Html {
  const { listed, total } = chronicle.runs;
  return html`<section id="runs">
    <h2>Who ran what when</h2>
    <p>
      Commands that take the migration's lease, the latest
      first${total > listed.length ? `; ${grouped(listed.length)} of ${grouped(total)}` : ''}. Times are UTC.
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>began</th>
            <th>command</th>
            <th>took</th>
            <th>exit</th>
            <th>database user</th>
            <th>host, process</th>
            <th>attempt</th>
            <th>run</th>
          </tr>
        </thead>
        <tbody>
          ${listed.map(
            (run) =>
              html`<tr>
                <td>${time(run.started_at)}</td>
                <td>${run.command}</td>
                <td>${took(run)}</td>
                <td>${ended(run)}</td>
                <td>${run.database_user}</td>
                <td>${run.host}, ${run.pid}</td>
                <td>${run.attempt}</td>
                <td><code>${run.run_id.slice(0, 8)}</code></td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

const took = ({ started_at: from, ended_at: to }: RunLine): string =>
  to === null ? '' : elapsed((Date.parse(to) - Date.parse(from)) / 1000);

function ended({ ended_at, exit_code, waiting_for }: RunLine): string {
  if (ended_at === null) return waiting_for === null ? 'at work, or lost' : `waiting: ${waiting_for}`;
  return exit_code === null ? 'lost' : exit(exit_code);
}
