import { readDocument } from '../docs/headings.js';

/** A fenced block of a document. */
export interface Block {
  document: string;
  /** Of its first line, for messages. */
  line: number;
  /** The heading of the second level it stands under. */
  part: string;
  /** The heading right above it, of any level. */
  chapter: string;
  /** `sh`, `sql`, `json`, … */
  language: string;
  /** The file that the block shows: the second word after the fence. */
  file: string | undefined;
  /** What an HTML comment right above it says, `role: planner`, say. */
  mark: string | undefined;
  text: string;
}

const FENCE = /^```(\S*) ?(\S*)$/;

/** All fenced blocks of a document, in order. */
export function blocksOf(document: string, markdown = readDocument(document)): Block[] {
  const blocks: Block[] = [];
  let [part, chapter] = ['', ''];
  let above = '';
  let open: { block: Block; lines: string[] } | undefined;
  markdown.split('\n').forEach((line, at) => {
    if (open !== undefined) {
      if (line === '```') {
        blocks.push({ ...open.block, text: open.lines.join('\n') });
        open = undefined;
      } else open.lines.push(line);
      return;
    }
    const [, language, file] = FENCE.exec(line) ?? [];
    if (language !== undefined) {
      const mark = /^<!-- (.*) -->$/.exec(above)?.[1];
      open = {
        block: {
          document,
          line: at + 2,
          part,
          chapter,
          language,
          file: file === '' ? undefined : file,
          mark,
          text: '',
        },
        lines: [],
      };
    }
    part = /^## (.+)$/.exec(line)?.[1] ?? part;
    chapter = /^#{1,6} (.+)$/.exec(line)?.[1] ?? chapter;
    above = line;
  });
  if (open !== undefined) throw new Error(`${document}:${String(open.block.line)}: a fence without an end`);
  return blocks;
}

/** A line of a shell block, and how it must end. */
export interface Command {
  text: string;
  exitCode: number;
  /** The section of the runbook that its message must name. */
  anchor: string | undefined;
  /** Why no test runs it, where none does. */
  skipped: string | undefined;
}

/**
 * The commands of a shell block. What a reader sees says how each ends: `# exit 6: …` after it, 0 where nothing is
 * said; `(#anchor)` in that remark is where its message sends the reader. `# not rehearsed: why` after a command, or
 * above all of them, is not run.
 */
export function commandsOf({ text }: Block): Command[] {
  const [, all] = /^# not rehearsed: (.+)\n/.exec(text) ?? [];
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .map((line) => {
      const [, command = line, remark = ''] = /^(.*?)\s+# (.*)$/.exec(line) ?? [];
      return {
        text: command.trim(),
        exitCode: Number(/^exit (\d+)\b/.exec(remark)?.[1] ?? 0),
        anchor: /\(#([a-z-]+)\)/.exec(remark)?.[1],
        skipped: all ?? /^not rehearsed: (.+)$/.exec(remark)?.[1],
      };
    });
}

/** A statement of an SQL block, and how it must end. */
export interface Statement {
  sql: string;
  /** `-- no row` after it: it finds nothing; `-- refused`: the database does not take it. */
  ends: 'well' | 'no row' | 'refused';
}

/** The statements of an SQL block. One that spans lines ends with its semicolon. */
export function statementsOf({ text }: Block): Statement[] {
  return text.split(/;[ \t]*(?=--|\n|$)/).reduce<Statement[]>((found, part) => {
    const [, remark = ''] = /^-- (.*)/.exec(part) ?? [];
    const last = found.at(-1);
    if (last !== undefined)
      last.ends = (['no row', 'refused'] as const).find((word) => remark.startsWith(word)) ?? last.ends;
    const sql = part.replace(/^\s*--.*$/gm, '').trim();
    return sql === '' ? found : [...found, { sql, ends: 'well' }];
  }, []);
}
