/**
 * Every command there is, in the order in which help lists them.
 */
import type { Command } from '../command.ts';
import { configShow } from './config-show.ts';
import { configValidate } from './config-validate.ts';

export const COMMANDS: readonly Command[] = [configShow, configValidate];
