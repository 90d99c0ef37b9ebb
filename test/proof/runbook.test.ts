import { expect } from 'chai';
import { faultsOfStructure } from '../../src/config/structure.js';
import { readHeader } from '../../src/proof/probe/parts.js';
import type { ProbeFile } from '../../src/proof/probe/plan.js';
import { readDecision } from '../../src/proof/replay/decision.js';
import { KIND_NAMES, KINDS } from '../../src/proof/replay/kinds.js';
import { readDocument } from '../docs/headings.js';

const section = (name: string): string =>
  new RegExp(`\n## ${name}\n(.*?)\n## `, 's').exec(readDocument('runbook.md'))![1]!;
const example = (name: string): string => /```json \S+\n(.*?)```/s.exec(section(name))![1]!;

describe('the runbook on replay and probe', () => {
  it('has every kind of difference, explained as the code has it', () => {
    const rows = section('Replay')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const told = rows.flatMap((line) => {
      const [, kinds = '', , , , explained = ''] = line.split('|');
      return [...kinds.matchAll(/`([a-z_]+)`/g)].map(([, kind]) => [kind!, explained.trim() === 'yes'] as const);
    });
    expect(Object.fromEntries(told)).to.deep.equal(
      Object.fromEntries(KIND_NAMES.map((kind) => [kind, KINDS[kind].explained])),
    );
  });

  it('shows decisions that are read', () => {
    const lines = example('Replay').trim().split('\n');
    expect(lines).to.have.length(2);
    for (const line of lines)
      expect(readDecision(line, 1, { id: 'bigint', token: 'text', tokenIsBytes: false }).fault).to.equal(undefined);
  });

  it('shows a probe file without a fault', () => {
    const file = JSON.parse(example('Probe')) as ProbeFile;
    expect(faultsOfStructure(file, 'probe.schema.json')).to.deep.equal([]);
    const faults: string[] = [];
    for (const { header } of file.requests)
      readHeader(header, [], { file: '', env: { INVOICE_KEY: 'key' }, fault: (_path, reason) => faults.push(reason) });
    expect(faults).to.deep.equal([]);
  });
});
