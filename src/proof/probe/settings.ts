import { JsonFault, parseJson } from '../../config/json.js';
import { keyPath } from '../../config/key-path.js';
import { faultsOfStructure, type Fault } from '../../config/structure.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { readText } from '../../files/read.js';
import { readAuthority, readBody } from './files.js';
import { readBaseUrl, readHeader, readPath } from './parts.js';
import type { Desk, ProbeFile, ProbePlan } from './plan.js';

const MAX_MIB = 4;
const MOST_TOLD = 50;

/**
 * Reads a probe file, the files it names and the tokens from the environment.
 *
 * @throws `probe_unreadable`, or `probe_invalid` with all faults at once, each by its key, none with a value
 */
export async function readProbe(file: string, env: Desk['env']): Promise<ProbePlan> {
  const text = await readText({ file, what: 'the probe file', code: 'probe_unreadable', maxMiB: MAX_MIB });
  const { value, faults } = parse(text, file);
  const structural = [...faults, ...faultsOfStructure(value, 'probe.schema.json')];
  if (structural.length > 0) throw invalid(file, structural);
  const found: Fault[] = [];
  const plan = await toPlan(value as ProbeFile, {
    file,
    env,
    fault: (path, reason) => {
      found.push({ path, reason });
    },
  });
  if (found.length > 0) throw invalid(file, found);
  return plan;
}

async function toPlan(settings: ProbeFile, desk: Desk): Promise<ProbePlan> {
  const { timeout = 10, retries = 3, concurrency = 2, perSecond = 10 } = settings;
  return {
    baseUrl: readBaseUrl(settings.baseUrl, desk),
    ca: settings.ca === undefined ? null : await readAuthority(settings.ca, desk),
    timeoutMs: timeout * 1000,
    retries,
    concurrency,
    perSecond,
    requests: await Promise.all(
      settings.requests.map(async (request, at) => {
        const { header, token } = readHeader(request.header, ['requests', at, 'header'], desk);
        return {
          name: request.name ?? null,
          method: request.method,
          path: readPath(request.path, ['requests', at, 'path'], desk),
          header,
          token,
          keyId: request.keyId === undefined ? null : String(request.keyId),
          before: request.before,
          after: request.after,
          body: request.body === undefined ? null : await readBody(request.body, ['requests', at, 'body'], desk),
        };
      }),
    ),
  };
}

function parse(text: string, file: string): { value: unknown; faults: Fault[] } {
  try {
    const { value, duplicates } = parseJson(text);
    return {
      value,
      faults: duplicates.map(({ path, line }) => ({ path, reason: `given twice (again in line ${String(line)})` })),
    };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw keyliftError('probe_invalid', {
      message: `the probe file ${file} is not JSON: line ${String(error.line)}, column ${String(error.column)}`,
      facts: { file },
      hint: 'Correct the file at that line; no request was sent.',
    });
  }
}

function invalid(file: string, faults: readonly Fault[]): KeyliftError {
  const lines = faults.map(({ path, reason }) => `  ${keyPath(path)}: ${reason}`);
  const told =
    lines.length > MOST_TOLD ? [...lines.slice(0, MOST_TOLD), `  and ${String(lines.length - MOST_TOLD)} more`] : lines;
  return keyliftError('probe_invalid', {
    message: `the probe file ${file} has ${lines.length === 1 ? '1 fault' : `${String(lines.length)} faults`}:\n${told.join('\n')}`,
  });
}
