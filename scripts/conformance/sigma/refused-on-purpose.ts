/**
 * Rules that cannot be converted without being weakened, by id, with the field that no column answers. A rule of this
 * list that is converted after all is a failure too: the list would say what is no longer so.
 */
export const REFUSED_ON_PURPOSE: ReadonlyMap<string, string> = new Map([
  ['6eea1bf6-f8d2-488a-a742-e6ef6c1b67db', 'CurrentDirectory'],
  ['21541900-27a9-4454-9c4c-3f0a4240344a', 'CurrentDirectory'],
  ['69dea60b-2deb-4c9e-a685-ad542f4367f9', 'CurrentDirectory'],
]);
