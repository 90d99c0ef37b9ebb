import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/config/package-root.js';

export const readDocument = (name: string): string => readFileSync(path.join(packageRoot(), name), 'utf8');

/** Anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): string[] {
  const withoutCode = markdown.replace(/^```.*?^```$/gms, '');
  return [...withoutCode.matchAll(/^#{1,6} (.+)$/gm)].map(([, title]) =>
    title!
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** The text below the heading of an anchor, up to the next heading of any level; undefined when there is none. */
export function sectionOf(markdown: string, anchor: string): string | undefined {
  const sections = markdown.split(/^(?=#{1,6} )/m);
  return sections.find((section) => anchorsOf(section)[0] === anchor);
}

/** Where a document's links lead that name no other site: file (empty: itself) and anchor. */
export function linksOf(markdown: string): { file: string; anchor: string }[] {
  const withoutCode = markdown.replace(/^```.*?^```$/gms, '');
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => ({ file: target.split('#')[0]!, anchor: target.split('#')[1] ?? '' }));
}
