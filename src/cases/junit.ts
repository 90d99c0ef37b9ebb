import type { CaseResult } from './check.js';
import { describeDifference } from './compare.js';
import { forXml } from '../escaping.js';
import { counted } from '../format.js';

export interface JunitOptions {
  /** The error text of each failed case. */
  failures: ReadonlyMap<CaseResult, string>;
}

/** The differences of one case that the file lists. The count includes all. */
const SHOWN = 200;

/**
 * The results of a check as JUnit XML. Each case is a test; differences are a failure, a case that did not run an
 * error.
 */
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
  const closing = '\n    </testcase>';
  if (error !== undefined) {
    const text = failure ?? '';
    return `${opening}>\n${detail('error', { message: firstLine(text), text })}${closing}`;
  }
  if (ok) return `${opening}/>`;
  const lines = differences.slice(0, SHOWN).map(describeDifference);
  const more = differences.length > SHOWN ? [`and ${String(differences.length - SHOWN)} more`] : [];
  const message = `${counted(differences.length, 'difference')} from the snapshots`;
  return `${opening}>\n${detail('failure', { message, text: [...lines, ...more].join('\n') })}${closing}`;
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
