/**
 * Every kind of rule source, in the order in which rules are loaded: of two rules with one id the earlier stays.
 */
import type { RuleSourceKind } from '../rule-source.ts';
import { builtin } from './builtin.ts';
import { yamlDirectory } from './yaml-directory.ts';

export const RULE_SOURCE_KINDS: readonly RuleSourceKind[] = [builtin, yamlDirectory];
