import type { CaseResult } from './check.js';
import { describeDifference } from './compare.js';
import { forXml } from '../escaping.js';

export interface JunitOptions {
  /** What stopped a case, as a person reads it. */
  failures: ReadonlyMap<CaseResult, string>;
}

/** Differences written out of one case; the counts tell all. */
const SHOWN = 200;

/** Results of a check as JUnit XML: a test a case, a difference is a failure, a case that did not run is an error. */
export function junitXml(results: readonly CaseResult[], { failures }: JunitOptions): string {
  const errors = results.filter(({ error }) => error !== undefined).length;
  const failed = results.filter(({ ok, error }) => !ok && error === undefined).length;
  const counts = attributes({
    tests: results.length,
    failures: failed,
    errors,
    skipped: 0,
    time: sum(results.map(({ seconds }) => seconds)),
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes({ name: 'keylift snapshot' })} ${counts}>`,
    `  <testsuite ${attributes({ name: 'keylift snapshot' })} ${counts}>`,
    ...results.map((result) => testCase(result, failures.get(result))),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(result: CaseResult, failure: string | undefined): string {
  const { case: name, ok, error, differences, seconds } = result;
  const opening = `    <testcase ${attributes({ classname: 'keylift.snapshot', name, time: seconds })}`;
  if (error !== undefined)
    return `${opening}>\n${detail('error', { message: firstLine(failure ?? ''), text: failure ?? '' })}\n    </testcase>`;
  if (ok) return `${opening}/>`;
  const lines = differences.slice(0, SHOWN).map(describeDifference);
  const more = differences.length > SHOWN ? [`and ${String(differences.length - SHOWN)} more`] : [];
  const message = `${String(differences.length)} ${differences.length === 1 ? 'difference' : 'differences'} from the snapshots`;
  return `${opening}>\n${detail('failure', { message, text: [...lines, ...more].join('\n') })}\n    </testcase>`;
}

const detail = (tag: string, { message, text }: { message: string; text: string }): string =>
  `      <${tag} ${attributes({ message, type: 'snapshot' })}>${forXml(text)}</${tag}>`;

const attributes = (values: Record<string, string | number>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}="${forXml(String(value))}"`)
    .join(' ');

const firstLine = (text: string): string => text.split('\n')[0] ?? '';
const sum = (numbers: readonly number[]): number =>
  Math.round(numbers.reduce((all, one) => all + one, 0) * 1000) / 1000;
