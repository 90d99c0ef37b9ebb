import type { Statement } from '../../database/sql.js';
import { FORGET_DUPLICATES, listDuplicates } from '../../ledger/proof-duplicates.js';
import { ARCHIVE, LEFT_BEHIND, overArchive } from '../../mapping/archive.js';
import { chunkEnd } from '../../mapping/chunks.js';
import { overSource } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { askResolver, countApis } from '../../proof/answers.js';
import { proveChunk } from '../../proof/chunk.js';
import { expectedDuplicates } from '../../proof/duplicates.js';
import { NOTHING_FINAL, type Finality } from '../../proof/finality.js';
import { countPlainRows } from '../../proof/plain.js';
import { storeApisAndHolds } from '../../proof/verify.js';
import { findLag, syncAccountKeys, syncPageEnd, syncPerApiKeys } from '../last-use-statements.js';

/** What a proof reads, and what synchronises the last use that it finds different. */
export const verifyStatements = (schema: MappedSchema): Statement[] => [...proof(schema), ...lastUse(schema)];

type Render = (schema: MappedSchema, finality: Finality) => string;

function proof(schema: MappedSchema): Statement[] {
  return [
    inEveryState(schema, 'cut the keys into chunks', ({ legacy: l, types }) => chunkEnd(l, types.id)),
    { title: 'forget the duplicates of the last proof', text: FORGET_DUPLICATES },
    inEveryState(schema, 'list the duplicates and their outcomes', (mapped, finality) =>
      listDuplicates(expectedDuplicates(mapped, finality)),
    ),
    { title: 'count the APIs', text: countApis(schema.legacy) },
    inEveryState(schema, 'ask keylift.authorize', ({ legacy: l }, finality) => askResolver(l, finality)),
    { title: 'count the store APIs', text: storeApisAndHolds(schema.legacy) },
    plainRows(schema),
    inEveryState(schema, 'prove a chunk of rows', ({ legacy: l, types }, finality) =>
      proveChunk(l, { rows: 'range', idType: types.id, finality }),
    ),
    inEveryState(schema, 'prove rows by their ids', ({ legacy: l, types }, finality) =>
      proveChunk(l, { rows: 'ids', idType: types.id, finality }),
    ),
  ];
}

function plainRows(schema: MappedSchema): Statement {
  const forms = [true, false].flatMap((accountsGuaranteed) =>
    [false, true].map((holds) =>
      inEveryState(schema, 'count the rows of a chunk that agree', ({ legacy: l, types }, finality) =>
        countPlainRows(l, { idType: types.id, holds, finality, accountsGuaranteed }),
      ),
    ),
  );
  const [text, ...texts] = forms.flatMap((form) => [form.text, ...(form.variants?.texts ?? [])]);
  return {
    title: forms[0]!.title,
    text: text!,
    variants: { differ: `holds are looked at where there are any; ${SINCE_FINALIZE}`, texts },
  };
}

const SINCE_FINALIZE = 'the archive is read, too, from finalize on';

/** A statement that reads the archive, too, once there is one. */
function inEveryState(schema: MappedSchema, title: string, render: Render): Statement {
  const withArchive = overArchive(schema, schema.columns);
  return {
    title,
    text: render(schema, NOTHING_FINAL),
    variants: {
      differ: SINCE_FINALIZE,
      texts: [
        render(withArchive, NOTHING_FINAL),
        render(withArchive, { leftBehind: LEFT_BEHIND, purged: false }),
        render(withArchive, { leftBehind: LEFT_BEHIND, purged: true }),
      ],
    },
  };
}

function lastUse(schema: MappedSchema): Statement[] {
  const { legacy, types } = schema;
  const perApi = syncPerApiKeys(legacy, types.id);
  return [
    inEveryState(schema, 'find last use that differs', ({ legacy: l }) => findLag(l, types.id)),
    inEveryState(schema, 'cut a chunk into pages', ({ legacy: l }) => syncPageEnd(l, types.id)),
    inEveryState(schema, 'synchronise the last use of account keys', ({ legacy: l }) => syncAccountKeys(l, types.id)),
    ...(perApi === null
      ? []
      : [
          {
            title: 'synchronise the last use of per-API keys',
            text: perApi,
            variants: { differ: SINCE_FINALIZE, texts: [syncPerApiKeys(overSource(legacy, ARCHIVE), types.id)!] },
          },
        ]),
  ];
}
