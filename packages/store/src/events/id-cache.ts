/**
 * Ids of texts that were stored lately, in bounded memory: what was not asked for while `limit` others were is forgotten.
 */
import { hash } from 'node:crypto';

export type IdCache = {
  readonly get: (text: string) => number | undefined;
  readonly set: (text: string, id: number) => void;
};

/** A longer text is known by its digest, so that memory does not depend on what hosts make of paths and arguments. */
const LONGEST_KEY = 160;

export function createIdCache(limit: number): IdCache {
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  const put = (key: string, id: number): void => {
    if (young.size >= limit) {
      old = young;
      young = new Map();
    }
    young.set(key, id);
  };
  return {
    get: (text) => {
      const key = keyOf(text);
      const id = young.get(key);
      if (id !== undefined) return id;
      const before = old.get(key);
      if (before !== undefined) put(key, before);
      return before;
    },
    set: (text, id) => put(keyOf(text), id),
  };
}

/** The first letter tells the two forms apart, so that nobody can choose a text that is another's digest. */
function keyOf(text: string): string {
  return text.length <= LONGEST_KEY ? `t${text}` : `d${hash('sha256', text, 'base64')}`;
}
