import { expect } from 'chai';
import type { CaseResult } from '../../src/cases/check.js';
import { junitXml } from '../../src/cases/junit.js';

describe('snapshot/junit', () => {
  it('has a test a case: nothing for one that is the same, a failure for a difference, an error for one that did not run', () => {
    const results: CaseResult[] = [
      { case: 'same', ok: true, differences: [], seconds: 1.5 },
      {
        case: 'a "quoted" <name>',
        ok: false,
        seconds: 0.25,
        differences: [
          { path: 'plan.total', expected: 1, actual: 2 },
          { path: 'x', expected: 'a&b', actual: '\u0000\u001b\ud800\ufffe\t' },
        ],
      },
      { case: 'stopped', ok: false, differences: [], error: new Error('boom'), seconds: 0 },
    ];
    expect(junitXml(results, { failures: new Map([[results[2]!, 'keylift: boom\n  where: here']]) })).to
      .equal(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="keylift snapshot" tests="3" failures="1" errors="1" skipped="0" time="1.75">
  <testsuite name="keylift snapshot" tests="3" failures="1" errors="1" skipped="0" time="1.75">
    <testcase classname="keylift.snapshot" name="same" time="1.5"/>
    <testcase classname="keylift.snapshot" name="a &quot;quoted&quot; &lt;name&gt;" time="0.25">
      <failure message="2 differences from the snapshots" type="snapshot">plan.total: expected 1, got 2
x: expected &quot;a&amp;b&quot;, got &quot;\\u0000\\u001b\\ud800\\ufffe\\t&quot;</failure>
    </testcase>
    <testcase classname="keylift.snapshot" name="stopped" time="0">
      <error message="keylift: boom" type="snapshot">keylift: boom
  where: here</error>
    </testcase>
  </testsuite>
</testsuites>
`);
  });

  it('counts what it does not write out', () => {
    const differences = Array.from({ length: 250 }, (_, at) => ({ path: `p${String(at)}`, expected: 1, actual: 2 }));
    expect(junitXml([{ case: 'many', ok: false, differences, seconds: 0 }], { failures: new Map() }))
      .to.include('250 differences')
      .and.include('p199')
      .and.include('and 50 more')
      .and.not.include('p200:');
  });
});
