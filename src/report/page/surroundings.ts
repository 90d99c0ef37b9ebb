import type { Finding, Severity } from '../../surroundings/finding.js';
import { counted } from '../../format.js';
import type { ReportFacts } from '../facts/document.js';
import { html, type Html } from './html.js';

const markOf = (severity: Severity): string =>
  severity === 'gate' ? 'refused' : severity === 'warning' ? 'to look at' : '';

/** What meets the tables: triggers, foreign keys, policies, rights, publications, settings. */
export function surroundings({ surroundings: findings }: ReportFacts): Html {
  return html`<section id="surroundings">
    <h2>Around the tables</h2>
    <p>${introduction(findings)}</p>
    ${findings.length === 0 ? null : listOf(findings)}
  </section>`;
}

function introduction(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'Nothing else in the database meets the mapped tables.';
  const gates = findings.filter(({ severity }) => severity === 'gate').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  const counts = `${counted(gates, 'gate')}, ${counted(warnings, 'warning')}`;
  return `${counted(findings.length, 'object')} of the database meet the mapped tables: ${counts}.`;
}

const listOf = (findings: readonly Finding[]): Html =>
  html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>object</th>
          <th>what keylift does that meets it</th>
          <th>when</th>
          <th></th>
          <th>way out</th>
        </tr>
      </thead>
      <tbody>
        ${findings.map(
          ({ object, fact, meets, phases, severity, way_out: wayOut }) =>
            html`<tr>
              <td>${object}<br /><small>${fact}</small></td>
              <td>${meets}</td>
              <td>${phases.join(', ')}</td>
              <td>${markOf(severity)}</td>
              <td>${wayOut}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
