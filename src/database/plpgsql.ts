import { revokeFromOthers } from './rights.js';
import { commaList, sql, type Statement } from './sql.js';

/** A plpgsql function that keylift installs in its own schema. */
export interface FunctionDefinition {
  /** Without its schema. */
  name: string;
  parameters?: readonly { name: string; type: string; default?: string }[];
  returns: string;
  /** Volatility and cost, as in `STABLE ROWS 1`. */
  attributes?: string;
  /** Whose rights it has: the owner's (default), or those of the session that calls it. */
  security?: 'definer' | 'invoker';
  /** Where it looks names up, quoted, as in SQL; null: where its caller does. */
  searchPath: string | null;
  /** Further settings that are in force while it runs. */
  settings?: readonly string[];
  /** What it does, in plain English: the comment at the head of its body. */
  comment: string;
  /** Everything from DECLARE or BEGIN to END. */
  body: string;
  /** It may exist already. */
  replace?: boolean;
}

/** A function as a statement, with the signature that names it. */
export interface InstalledFunction extends Statement {
  /** Without its schema. */
  name: string;
  signature: string;
}

/** CREATE FUNCTION, with rights for its owner alone. A function that is replaced keeps the rights that it has. */
export function installedFunction(definition: FunctionDefinition): InstalledFunction {
  const { name, parameters = [], attributes, security = 'definer', searchPath, settings = [] } = definition;
  const signature = `keylift.${name}(${parameters.map(({ type }) => type).join(', ')})`;
  const declared = parameters.map(
    (parameter) =>
      `${parameter.name} ${parameter.type}${parameter.default === undefined ? '' : ` DEFAULT ${parameter.default}`}`,
  );
  return {
    title: `function keylift.${name}`,
    name,
    signature,
    text: sql`
      CREATE ${definition.replace === true ? 'OR REPLACE FUNCTION' : 'FUNCTION'} keylift.${name}(${commaList(declared, 70)})
      RETURNS ${definition.returns}
      LANGUAGE plpgsql ${attributes ?? ''} ${security === 'definer' ? 'SECURITY DEFINER' : ''}
      ${searchPath === null ? '' : `SET search_path = ${searchPath}`}
      ${settings.map((setting) => `SET ${setting}`).join('\n')}
      AS $body$
      ${commentLines(definition.comment)}
      #variable_conflict use_column
      ${definition.body}
      $body$;
      ${definition.replace === true ? '' : revokeFunction({ signature })}`,
  };
}

/** Rights for the owner alone, after a function that may exist already was created for the first time. */
export const revokeFunction = ({ signature }: Pick<InstalledFunction, 'signature'>): string =>
  revokeFromOthers('FUNCTION', signature);

export const dropFunction = ({ signature }: Pick<InstalledFunction, 'signature'>): string =>
  `DROP FUNCTION IF EXISTS ${signature};`;

/** A text as comment lines; each line of the text becomes one. */
const commentLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => `-- ${line}`.trimEnd())
    .join('\n');
